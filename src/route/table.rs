//! Everything that is published, laid out so that finding it costs the same however much there is.
//!
//! Three questions, each answered before the next is asked. *Whose host is it?* An exact name before the longest
//! suffix before every host. *Which API?* The longest context path that ends at a segment border; a host without one
//! passes the question on to the next less specific host. *Which route?* Segment by segment from the left, literal
//! before parameter before wildcard, with backtracking; the method is looked at only when the path has been found, so a
//! known path with another method is told apart from an unknown one (RFC 9110 section 15.5.6).
//!
//! The second answer is final: an API in whose routes the path is not found is not searched past, neither for a shorter
//! context path nor for another host. What one API leaves out never ends up in another.
//!
//! A lookup hashes each segment of the path at most once per kind of host and once more for the route, and allocates
//! nothing. Backtracking visits a node of the API's own tree (see `tree`) at most once.

use std::sync::Arc;

use super::host::{HOST_BYTES_MAX, HostPattern, without_root_dot};
use super::pattern::{ContextPath, MethodSet, RoutePattern, split_segment};
use super::tree::Tree;
use foldhash::HashMap;

#[cfg(test)]
mod tests;

/// Collects APIs and refuses what could not be told apart.
#[derive(Debug)]
pub struct TableBuilder<A, R> {
    table: Table<A, R>,
}

/// The APIs and routes of one configuration, immutable.
#[derive(Debug)]
pub struct Table<A, R> {
    exact: HashMap<Box<str>, Contexts<A, R>>,
    suffix: HashMap<Box<str>, Contexts<A, R>>,
    /// Length of the longest key of `suffix`: longer tails of a host need no look.
    suffix_bytes_max: usize,
    any: Contexts<A, R>,
}

/// Where a request belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'t, 'p, A, R> {
    /// The API whose context path it is below.
    pub api: &'t A,
    /// The route, or what the API gives for every path if it has no routes.
    pub route: &'t R,
    /// The path below the context path. Starts with `/`, and is `/` when nothing is left.
    pub rest: &'p str,
}

/// Why a request belongs nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotFound<'t, A> {
    /// No API under this host and path, or no route of the API has this path.
    Route,
    /// There is such a path, but not with this method.
    Method {
        /// The API.
        api: &'t A,
        /// Value of the `Allow` field, for example `GET, HEAD` (RFC 9110 section 10.2.1).
        allow: &'t str,
    },
}

/// Why an API cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Another API has this context path under one of these hosts.
    #[error("another API has the same host and context path")]
    ApiConflict,
    /// Two routes have the same pattern, but for names, and a method in common. Both are indexes into `routes`.
    #[error("another route has the same path pattern and a method in common")]
    RouteConflict {
        /// The route that came later.
        index: usize,
        /// The one that came first.
        other: usize,
    },
}

/// The context paths under one host pattern, as a tree of their segments.
#[derive(Debug)]
struct Contexts<A, R> {
    api: Option<Arc<Api<A, R>>>,
    below: HashMap<Box<str>, Self>,
}

#[derive(Debug)]
struct Api<A, R> {
    api: A,
    routes: Routes<R>,
}

#[derive(Debug)]
enum Routes<R> {
    /// Every path and method.
    Open(R),
    Listed(Tree<Endpoint<R>>),
}

/// All routes with one pattern.
#[derive(Debug)]
struct Endpoint<R> {
    /// With disjoint methods: the order does not matter.
    by_method: Vec<(MethodSet, R)>,
    allow: Box<str>,
}

// === impl TableBuilder ===

impl<A, R> TableBuilder<A, R> {
    /// Nothing published yet.
    pub fn new() -> Self {
        Self {
            table: Table {
                exact: HashMap::default(),
                suffix: HashMap::default(),
                suffix_bytes_max: 0,
                any: Contexts::new(),
            },
        }
    }

    /// Publishes one API: where it lives and its routes. Under no host it is not published at all; a host named twice
    /// counts once.
    ///
    /// Without `routes`, every path and method below the context path gives `open`; and nothing does if that is `None`.
    /// With routes, `open` is of no account: what is not listed is not found.
    ///
    /// # Errors
    ///
    /// [`TableError`]; then nothing was added.
    pub fn insert(
        &mut self,
        hosts: &[HostPattern],
        context: &ContextPath,
        api: A,
        routes: Vec<(RoutePattern, MethodSet, R)>,
        open: Option<R>,
    ) -> Result<(), TableError> {
        if hosts.iter().any(|host| self.is_taken(host, context)) {
            return Err(TableError::ApiConflict);
        }
        check_routes(&routes)?;
        let routes = match open {
            Some(open) if routes.is_empty() => Routes::Open(open),
            _ => Routes::Listed(tree_of(routes)),
        };
        let api = Arc::new(Api { api, routes });
        for host in hosts {
            self.contexts_mut(host).insert(context, &api);
        }
        Ok(())
    }

    /// The finished table.
    pub fn build(self) -> Table<A, R> {
        self.table
    }

    fn is_taken(&self, host: &HostPattern, context: &ContextPath) -> bool {
        let contexts = match host {
            HostPattern::Any => Some(&self.table.any),
            HostPattern::Exact(name) => self.table.exact.get(name),
            HostPattern::Suffix(domain) => self.table.suffix.get(domain),
        };
        contexts.is_some_and(|contexts| contexts.is_taken(context))
    }

    fn contexts_mut(&mut self, host: &HostPattern) -> &mut Contexts<A, R> {
        let table = &mut self.table;
        match host {
            HostPattern::Any => &mut table.any,
            HostPattern::Exact(name) => table.exact.entry(name.clone()).or_insert_with(Contexts::new),
            HostPattern::Suffix(domain) => {
                table.suffix_bytes_max = table.suffix_bytes_max.max(domain.len());
                table.suffix.entry(domain.clone()).or_insert_with(Contexts::new)
            }
        }
    }
}

impl<A, R> Default for TableBuilder<A, R> {
    fn default() -> Self {
        Self::new()
    }
}

fn tree_of<R>(routes: Vec<(RoutePattern, MethodSet, R)>) -> Tree<Endpoint<R>> {
    let mut tree = Tree::new();
    for (pattern, methods, route) in routes {
        tree.slot(&pattern)
            .get_or_insert_with(Endpoint::new)
            .add(methods, route);
    }
    tree
}

/// No two routes for one pattern and method.
fn check_routes<R>(routes: &[(RoutePattern, MethodSet, R)]) -> Result<(), TableError> {
    let mut seen: HashMap<&RoutePattern, Vec<(usize, &MethodSet)>> = HashMap::default();
    for (index, (pattern, methods, _)) in routes.iter().enumerate() {
        let earlier = seen.entry(pattern).or_default();
        if let Some((other, _)) = earlier.iter().find(|(_, other)| other.overlaps(methods)) {
            return Err(TableError::RouteConflict { index, other: *other });
        }
        earlier.push((index, methods));
    }
    Ok(())
}

// === impl Table ===

impl<A, R> Table<A, R> {
    /// Finds what a request asks for.
    ///
    /// `host` is that of [`authority_host`](super::authority_host), in any case, and empty if there was none; `path` is
    /// that of [`normalise`](super::normalise). What is not (a path without `/`, a host longer than
    /// [`HOST_BYTES_MAX`]) is not found.
    ///
    /// # Errors
    ///
    /// [`NotFound`].
    pub fn find<'t, 'p>(
        &'t self,
        host: &str,
        path: &'p str,
        method: &str,
    ) -> Result<Found<'t, 'p, A, R>, NotFound<'t, A>> {
        let (api, rest) = self.owner(host, path).ok_or(NotFound::Route)?;
        let route = match &api.routes {
            Routes::Open(open) => open,
            Routes::Listed(tree) => {
                let endpoint = tree.find(rest).ok_or(NotFound::Route)?;
                endpoint.find(method).ok_or(NotFound::Method {
                    api: &api.api,
                    allow: &endpoint.allow,
                })?
            }
        };
        Ok(Found {
            api: &api.api,
            route,
            rest,
        })
    }

    /// The API that host and path belong to, whether or not a route of it has the path: what there is to say of a request
    /// that was not found. Nobody who calls may be told.
    pub fn api(&self, host: &str, path: &str) -> Option<&A> {
        self.owner(host, path).map(|(api, _)| &api.api)
    }

    /// The API and the path below its context path, for a host in any case.
    fn owner<'t, 'p>(&'t self, host: &str, path: &'p str) -> Option<(&'t Api<A, R>, &'p str)> {
        let host = without_root_dot(host);
        if host.len() > HOST_BYTES_MAX || !path.starts_with('/') {
            return None;
        }
        if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let mut lower = [0; HOST_BYTES_MAX];
            let copied = lower
                .iter_mut()
                .zip(host.bytes())
                .map(|(to, from)| *to = from.to_ascii_lowercase())
                .count();
            let lower = lower.get(..copied).and_then(|lower| str::from_utf8(lower).ok());
            lower.and_then(|host| self.context(host, path))
        } else {
            self.context(host, path)
        }
    }

    /// The API of the most specific host that has one for `path`, and the path below its context path.
    fn context<'t, 'p>(&'t self, host: &str, path: &'p str) -> Option<(&'t Api<A, R>, &'p str)> {
        let exact = self.exact.get(host).and_then(|contexts| contexts.find(path));
        exact
            .or_else(|| self.suffix_context(host, path))
            .or_else(|| self.any.find(path))
    }

    fn suffix_context<'t, 'p>(&'t self, host: &str, path: &'p str) -> Option<(&'t Api<A, R>, &'p str)> {
        if self.suffix.is_empty() {
            return None;
        }
        let mut tail = host;
        while let Some((_, domain)) = tail.split_once('.') {
            tail = domain;
            if domain.len() > self.suffix_bytes_max {
                continue;
            }
            let found = self.suffix.get(domain).and_then(|contexts| contexts.find(path));
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

// === impl Contexts ===

impl<A, R> Contexts<A, R> {
    fn new() -> Self {
        Self {
            api: None,
            below: HashMap::default(),
        }
    }

    fn is_taken(&self, context: &ContextPath) -> bool {
        let mut segments = context.segments();
        let node = segments.try_fold(self, |node, segment| node.below.get(segment));
        node.is_some_and(|node| node.api.is_some())
    }

    fn insert(&mut self, context: &ContextPath, api: &Arc<Api<A, R>>) {
        let mut node = self;
        for segment in context.segments() {
            node = node.below.entry(segment.into()).or_insert_with(Self::new);
        }
        node.api = Some(Arc::clone(api));
    }

    /// The API with the longest context path, and the path below that.
    fn find<'t, 'p>(&'t self, path: &'p str) -> Option<(&'t Api<A, R>, &'p str)> {
        let mut node = self;
        let mut rest = path;
        let mut longest = node.api.as_deref().map(|api| (api, rest));
        while let Some((segment, tail)) = split_segment(rest) {
            let Some(next) = node.below.get(segment) else {
                break;
            };
            (node, rest) = (next, tail);
            if let Some(api) = &node.api {
                longest = Some((api, if rest.is_empty() { "/" } else { rest }));
            }
        }
        longest
    }
}

// === impl Endpoint ===

impl<R> Endpoint<R> {
    fn new() -> Self {
        Self {
            by_method: Vec::new(),
            allow: Box::default(),
        }
    }

    fn add(&mut self, methods: MethodSet, route: R) {
        debug_assert!(
            self.by_method
                .iter()
                .all(|(others, _)| !others.overlaps(&methods))
        );
        self.by_method.push((methods, route));
        let mut names: Vec<&str> = self
            .by_method
            .iter()
            .flat_map(|(methods, _)| methods.names())
            .map(|name| &**name)
            .collect();
        names.sort_unstable();
        self.allow = names.join(", ").into();
    }

    fn find(&self, method: &str) -> Option<&R> {
        self.by_method
            .iter()
            .find(|(methods, _)| methods.contains(method))
            .map(|(_, route)| route)
    }
}
