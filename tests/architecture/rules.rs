//! The rules: which module stands where, which uses are allowed, and which words are banned, each with its reason.
//!
//! A change of the architecture is a change of these tables and of the same table in `ARCHITECTURE.md`. A reason is
//! shown to whoever breaks the rule, so it is written for somebody who reads nothing else.

/// Modules that may use those of lower layers, and not each other.
pub(crate) struct Layer {
    pub(crate) name: &'static str,
    pub(crate) modules: &'static [&'static str],
    pub(crate) reason: &'static str,
}

/// From the bottom. A module's layer is its place here.
pub(crate) const LAYERS: [Layer; 9] = [
    Layer {
        name: "base",
        modules: &["exit", "id", "time", "secret"],
        reason: "names, moments, secrets and exit codes are spoken of anywhere, so they know nothing",
    },
    Layer {
        name: "mechanism",
        modules: &[
            "config",
            "credential",
            "mint",
            "revocation",
            "route",
            "telemetry",
            "token",
        ],
        reason: "each solves one problem that has nothing to do with gateways, alone",
    },
    Layer {
        name: "parts",
        modules: &[
            "authorization",
            "identity",
            "issuer",
            "limit",
            "predicate",
            "subscription",
            "upstream",
        ],
        reason: "parts meet in the decision only, so that each can be understood and tested without the others",
    },
    Layer {
        name: "domain",
        modules: &["api", "issuing"],
        reason: "an API, and what the gateway gives out as an issuer, are made of parts; they know neither how they \
                 were written down nor how they are served",
    },
    Layer {
        name: "snapshot",
        modules: &["snapshot"],
        reason: "here, and nowhere else, what an operator wrote becomes what the gateway runs",
    },
    Layer {
        name: "decision",
        modules: &["access"],
        reason: "one pure function over borrowed data; whoever asks it and what changes the data are above it",
    },
    Layer {
        name: "edges",
        modules: &["control", "explain", "proxy"],
        reason: "one changes what is known, one serves requests, one tells why; they meet in the three cells only",
    },
    Layer {
        name: "composition",
        modules: &["app"],
        reason: "the only module that knows all others: it puts them together and starts them",
    },
    Layer {
        name: "command line",
        modules: &["cli", "main"],
        reason: "flags and exit codes around the composition; nothing is built on them",
    },
];

/// The layer up to which a word can be banned: everything under the edges.
pub(crate) const DECISION: usize = 5;

/// A use inside one layer that is allowed all the same.
pub(crate) struct Neighbour {
    pub(crate) user: &'static str,
    pub(crate) used: &'static str,
    #[expect(dead_code, reason = "for whoever reads the table")]
    pub(crate) reason: &'static str,
}

pub(crate) const NEIGHBOURS: [Neighbour; 3] = [
    Neighbour {
        user: "subscription",
        used: "limit",
        reason: "what was used under an agreement lives in its entry, so that it survives whatever the entry does",
    },
    Neighbour {
        user: "mint",
        used: "token",
        reason: "what is minted must be what is verified: algorithms and kinds of keys have one list",
    },
    Neighbour {
        user: "explain",
        used: "proxy",
        reason: "whoever explains an answer asks the function that answers, and none that resembles it",
    },
];

/// A use that the order of the layers would allow and the design does not.
pub(crate) struct Forbidden {
    pub(crate) users: &'static [&'static str],
    pub(crate) used: &'static [&'static str],
    pub(crate) reason: &'static str,
}

pub(crate) const FORBIDDEN: [Forbidden; 5] = [
    Forbidden {
        users: &["config", "route", "telemetry"],
        used: &[
            "id",
            "time",
            "secret",
            "config",
            "credential",
            "mint",
            "route",
            "telemetry",
            "token",
        ],
        reason: "this mechanism stands alone: it could be a package of its own, and nothing else need be read with it",
    },
    Forbidden {
        users: &[
            "authorization",
            "identity",
            "issuer",
            "limit",
            "predicate",
            "subscription",
            "upstream",
            "api",
            "access",
            "explain",
            "proxy",
        ],
        used: &["config"],
        reason: "what an operator wrote is judged once, in `snapshot`; below and beside it nobody sees unjudged values",
    },
    Forbidden {
        users: &[
            "authorization",
            "identity",
            "issuer",
            "limit",
            "predicate",
            "subscription",
            "upstream",
            "api",
            "snapshot",
            "access",
        ],
        used: &["telemetry"],
        reason: "the core states facts and the edges count them: a decision that counts is neither pure nor cheap",
    },
    Forbidden {
        users: &[
            "authorization",
            "identity",
            "issuer",
            "limit",
            "predicate",
            "subscription",
            "upstream",
            "api",
            "snapshot",
            "access",
            "control",
            "explain",
            "proxy",
        ],
        used: &["mint"],
        reason: "what decides and serves requests does not sign: private keys are for `issuing`, the command line and \
                 tests",
    },
    Forbidden {
        users: &["control"],
        used: &["access", "explain", "proxy"],
        reason: "what changes the cells does not know who reads them, so no change can depend on a request",
    },
];

/// Code that does not belong under the edges.
pub(crate) struct Banned {
    pub(crate) patterns: &'static [&'static str],
    pub(crate) except: &'static [&'static str],
    pub(crate) reason: &'static str,
}

pub(crate) const BANNED: [Banned; 10] = [
    Banned {
        patterns: &["async", "await", "tokio"],
        except: &[],
        reason: "the decision is synchronous: what may have to be waited for happens at the edges, before or after",
    },
    Banned {
        patterns: &[
            "pingora",
            "pingora_proxy",
            "pingora_core",
            "pingora_http",
            "ProxyHttp",
        ],
        except: &["upstream"],
        reason: "the framework stays at the edges; `upstream` alone prepares its peers, once per snapshot",
    },
    Banned {
        patterns: &["std::fs", "std::env", "std::process", "reqwest", "notify"],
        except: &[],
        reason: "no I/O under the edges: files and answers come in as bytes, so a test needs neither disk nor network",
    },
    Banned {
        patterns: &["SystemTime"],
        except: &["time"],
        reason: "`now` is an argument, so a test can stand at any second; edges read `time::Clock`",
    },
    Banned {
        patterns: &["Instant::now"],
        except: &[],
        reason: "the core measures nothing: an observer at the edge is told where the expensive part begins and ends",
    },
    Banned {
        patterns: &["Mutex", "RwLock"],
        except: &["telemetry"],
        reason: "no request waits for another; `telemetry` locks to resolve a child, never to count",
    },
    Banned {
        patterns: &["println!", "eprintln!", "print!", "eprint!"],
        except: &[],
        reason: "a library does not talk to the terminal: it returns what it found, `cli` prints",
    },
    Banned {
        patterns: &[
            "tracing::",
            "log::",
            "trace!",
            "debug!",
            "info!",
            "warn!",
            "error!",
        ],
        except: &[],
        reason: "the core logs nothing: it returns facts, and an edge decides who is told",
    },
    Banned {
        patterns: &["prometheus"],
        except: &["telemetry"],
        reason: "metrics are counted at the edges, through `telemetry`",
    },
    Banned {
        patterns: &["jsonwebtoken"],
        except: &[],
        reason: "signing and verification are our own, over parsed keys and borrowed data; in tests the library is the oracle",
    },
];
