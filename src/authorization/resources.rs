//! What a plan lets its callers reach: paths and methods that are allowed, and such as are denied.
//!
//! The two lists doubt in opposite directions. An allow entry has exactly its paths. A deny entry has its paths with and
//! without a slash at the end: many upstreams take `/admin/` for `/admin`, and a list that can be walked around by one
//! character is no list. Both are looked up, not scanned ([`PathFilter`]).

use crate::route::{MethodSet, PathFilter, PathMatch, RoutePattern};

/// Allowed and denied resources of a plan, below the API's context path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// What is not in it is refused; `None`: everything is allowed.
    allow: Option<PathFilter>,
    /// What is in it is refused, allowed or not.
    deny: Option<PathFilter>,
}

/// Why a plan does not let a request reach a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ResourceError {
    /// The path is not allowed, or path and method are denied.
    Forbidden,
    /// The path is allowed, with other methods.
    Method {
        /// Those methods, as `Allow` names them (RFC 9110 section 10.2.1).
        allow: Box<str>,
    },
}

// === impl Resources ===

impl Resources {
    /// From the two lists; `None` is no list, an empty list allows nothing.
    pub fn new(
        allow: Option<Vec<(RoutePattern, MethodSet)>>,
        deny: Option<Vec<(RoutePattern, MethodSet)>>,
    ) -> Self {
        let deny = deny.map(|entries| {
            PathFilter::new(
                entries
                    .into_iter()
                    .map(|(pattern, methods)| (pattern.without_trailing_slash(), methods)),
            )
        });
        Self {
            allow: allow.map(PathFilter::new),
            deny,
        }
    }

    /// Judges a request by its path below the context path, in canonical form, and its method. Allocates only to refuse.
    ///
    /// # Errors
    /// [`ResourceError`]; the allow list speaks first.
    pub fn judge(&self, path: &str, method: &str) -> Result<(), ResourceError> {
        match self.allow.as_ref().map(|allow| allow.judge(path, method)) {
            None | Some(PathMatch::Full) => {}
            Some(PathMatch::None) => return Err(ResourceError::Forbidden),
            Some(PathMatch::Path) => return Err(self.other_methods(path)),
        }
        match self.denies(path, method) {
            true => Err(ResourceError::Forbidden),
            false => Ok(()),
        }
    }

    fn denies(&self, path: &str, method: &str) -> bool {
        let Some(deny) = &self.deny else {
            return false;
        };
        let bare = path.strip_suffix('/').filter(|bare| !bare.is_empty());
        deny.judge(bare.unwrap_or(path), method) == PathMatch::Full
    }

    /// What a path may be asked for with; if that is nothing, another method is no help.
    fn other_methods(&self, path: &str) -> ResourceError {
        let mut methods = self
            .allow
            .as_ref()
            .map_or_else(Vec::new, |allow| allow.methods(path));
        methods.retain(|method| !self.denies(path, method));
        match methods.is_empty() {
            true => ResourceError::Forbidden,
            false => ResourceError::Method {
                allow: methods.join(", ").into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Entries<'e> = &'e [(&'e str, &'e [&'e str])];

    fn entries(list: Entries<'_>) -> Option<Vec<(RoutePattern, MethodSet)>> {
        let entry = |(pattern, methods): &(&str, &[&str])| {
            let methods = match methods {
                [] => MethodSet::any(),
                names => MethodSet::parse(names.iter().copied()).unwrap(),
            };
            (RoutePattern::parse(pattern).unwrap(), methods)
        };
        (!list.is_empty()).then(|| list.iter().map(entry).collect())
    }

    /// `ok`, `403`, or `405` and what is allowed.
    #[track_caller]
    fn check(allow: Entries<'_>, deny: Entries<'_>, rows: &[(&str, &str)]) {
        let resources = Resources::new(entries(allow), entries(deny));
        for (request, expected) in rows {
            let (method, path) = request.split_once(' ').unwrap();
            let observed = match resources.judge(path, method) {
                Ok(()) => "ok".to_owned(),
                Err(ResourceError::Forbidden) => "403".to_owned(),
                Err(ResourceError::Method { allow }) => format!("405 {allow}"),
            };
            assert_eq!(observed, *expected, "{request}");
        }
    }

    #[test]
    fn without_lists_everything_is_allowed() {
        check(&[], &[], &[("GET /", "ok"), ("BREW /x/y", "ok")]);
    }

    #[test]
    fn what_is_not_allowed_is_refused() {
        check(
            &[("/menu/{id}", &["GET"]), ("/menu/*", &["PUT"]), ("/open/*", &[])],
            &[],
            &[
                ("GET /menu/1", "ok"),
                ("HEAD /menu/1", "ok"),
                ("PUT /menu/1", "ok"),
                ("DELETE /menu/1", "405 GET, HEAD, PUT"),
                ("GET /menu/1/2", "405 PUT"),
                ("GET /menu", "403"),
                ("GET /menu/", "403"),
                ("GET /menu/1/", "405 PUT"),
                ("BREW /open/x", "ok"),
                ("GET /", "403"),
            ],
        );
    }

    #[test]
    fn what_is_denied_is_refused_with_and_without_a_slash_at_its_end() {
        check(
            &[],
            &[
                ("/admin", &[]),
                ("/admin/*", &[]),
                ("/items/", &["DELETE"]),
                ("/users/{id}", &["GET"]),
            ],
            &[
                ("GET /admin", "403"),
                ("GET /admin/", "403"),
                ("GET /admin/x/", "403"),
                ("GET /administrator", "ok"),
                ("DELETE /items", "403"),
                ("DELETE /items/", "403"),
                ("GET /items", "ok"),
                ("HEAD /users/1/", "403"),
                ("PUT /users/1", "ok"),
                ("GET /users/", "ok"),
                ("GET /", "ok"),
            ],
        );
        check(&[], &[("/", &[])], &[("GET /", "403"), ("GET /x", "ok")]);
    }

    #[test]
    fn the_allow_list_speaks_first_and_names_only_what_would_pass() {
        check(
            &[("/a/*", &["GET", "PUT"]), ("/b", &["GET"])],
            &[
                ("/a/secret", &[]),
                ("/a/{x}", &["PUT"]),
                ("/b", &["GET"]),
                ("/c", &[]),
            ],
            &[
                ("GET /a/1", "ok"),
                ("GET /a/secret", "403"),
                ("PUT /a/1", "403"),
                ("PUT /a/1/2", "ok"),
                ("POST /a/1", "405 GET, HEAD"),
                ("POST /a/1/2", "405 GET, HEAD, PUT"),
                ("POST /a/secret", "403"),
                ("POST /b", "403"),
                ("GET /c", "403"),
            ],
        );
    }
}
