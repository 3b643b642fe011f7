//! From a request's host, path and method to what was published under them.
//!
//! Two promises carry the rest of the gateway. *One form:* [`normalise`] turns a path into the only spelling that is
//! routed, judged and sent upstream, so no two parties can read one request differently. *One answer:* [`Table`] finds
//! at most one route for a request, by a rule that does not depend on the order in which APIs were written.
//!
//! Everything here is plain data and plain functions: it knows neither what an API nor what a route is.

mod filter;
mod host;
mod path;
mod pattern;
mod table;
mod tree;

pub use filter::{PathFilter, PathMatch};
pub use host::{HOST_BYTES_MAX, HostError, HostPattern, HostPatternError, authority_host};
pub use path::{PATH_SEGMENTS_MAX, PathError, PathPolicy, normalise};
pub use pattern::{
    ContextPath, ContextPathError, MethodSet, MethodSetError, RoutePattern, RoutePatternError,
};
pub use table::{Found, NotFound, Table, TableBuilder, TableError};
