//! Says when the configuration on disk has changed, and says it once per change.
//!
//! Files change in more ways than "somebody wrote to them". Editors write a new file and rename it over the old
//! one, which would leave a watch on the old inode. Kubernetes mounts `tollgate.toml -> ..data/tollgate.toml`,
//! `..data -> ..2026_03_01`, and swaps the *second* link. Files appear in an included directory. So it is never the
//! file that is watched but every directory in which a name on the way to it lives, without recursion (see
//! `directories`).
//!
//! An event only says that somebody was here. After a short quiet the contents are compared with what was last
//! reported (see [`fingerprint()`]), so neither a `touch` nor an editor's swap file makes anyone reload. And because
//! events can be missed (network file systems, queue overflow, bind mounts), the contents are compared now and then
//! without an event too. Where the system grants no watches at all, that comparison is all there is, only
//! more often: the gateway then reloads two seconds late, it does not refuse to run.
//!
//! The one promise: a change between taking a baseline with [`fingerprint()`] and any later call of
//! [`Watcher::changed`] is reported. Loaders take the baseline *before* they read the files.

mod directories;
mod fingerprint;
mod watched;

#[cfg(test)]
mod tests;

pub use fingerprint::{Fingerprint, fingerprint};

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    task::{self, JoinHandle},
    time::{Instant, sleep_until},
};

use self::watched::Watched;

/// How long it must be quiet before a look is worth it: a write, its flush and the rename that follows are a few
/// milliseconds apart, and an operator who waits for a reload does not notice a tenth of a second.
const QUIET: Duration = Duration::from_millis(100);

/// A look is taken this long after the first event even if it never gets quiet: a program that writes to the same
/// directory all the time (a log file) must not keep a change from being seen.
const BURST_MAX: Duration = Duration::from_secs(1);

/// How often to look without an event: the net under file systems that send none. A few small reads.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// The same when the system grants no watches: now polling is all there is, and an operator is waiting.
const POLL_INTERVAL_BLIND: Duration = Duration::from_secs(2);

/// What to watch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// Files whose contents count, whether or not they exist now.
    pub files: Vec<PathBuf>,
    /// Directories whose `*.toml` files count, names and contents, also those that are created later.
    pub directories: Vec<PathBuf>,
}

/// Watches one set of files at a time.
///
/// Its first [`Watcher::changed`] starts a thread (notify's), so that call belongs to the process that will serve,
/// after it has detached from the terminal.
#[derive(Debug)]
pub struct Watcher {
    set: Arc<WatchSet>,
    reported: Fingerprint,
    /// Raised by notify's thread. It holds at most one permit, so a flood of events takes no memory.
    stirred: Arc<Notify>,
    /// None while a look has it, or after a look that died.
    watched: Option<Watched>,
    looking: Option<JoinHandle<Look>>,
    look_at: Instant,
    /// Set from the first event of a burst until the look that ends it.
    look_by: Option<Instant>,
    rhythm: Rhythm,
}

/// When to look. A value, so that tests need not live through half a minute.
#[derive(Debug, Clone, Copy)]
struct Rhythm {
    quiet: Duration,
    burst_max: Duration,
    poll: Duration,
    poll_blind: Duration,
}

/// What a look brought home.
#[derive(Debug)]
struct Look {
    watched: Watched,
    set: Arc<WatchSet>,
    fingerprint: Fingerprint,
}

// === impl Watcher ===

impl Watcher {
    /// Watches `set`, whose contents were `baseline` when the caller last read them.
    #[must_use]
    pub fn new(set: WatchSet, baseline: Fingerprint) -> Self {
        let stirred = Arc::new(Notify::new());
        let watched = Watched::new(Arc::clone(&stirred));
        Self::with(set, baseline, stirred, watched, Rhythm::default())
    }

    fn with(
        set: WatchSet,
        baseline: Fingerprint,
        stirred: Arc<Notify>,
        watched: Watched,
        rhythm: Rhythm,
    ) -> Self {
        Self {
            set: Arc::new(set),
            reported: baseline,
            stirred,
            watched: Some(watched),
            looking: None,
            look_at: Instant::now(),
            look_by: None,
            rhythm,
        }
    }

    /// Watches `set` from now on, usually because what was loaded includes other files than before. Whatever
    /// changed since `baseline` was taken is reported by the next [`Watcher::changed`], watched or not.
    pub fn watch(&mut self, set: WatchSet, baseline: Fingerprint) {
        self.set = Arc::new(set);
        self.reported = baseline;
        self.look_at = Instant::now();
        self.look_by = None;
    }

    /// Resolves when the contents differ from the baseline or, after that, from what was last reported. A file that
    /// vanished or became unreadable counts: the loader is who can say what is wrong with it.
    ///
    /// Cancel safe: dropping the future loses no event and no look.
    pub async fn changed(&mut self) {
        loop {
            self.settle().await;
            if let Some(seen) = self.look().await
                && seen != self.reported
            {
                self.reported = seen;
                return;
            }
        }
    }

    /// Waits until it is time to look.
    async fn settle(&mut self) {
        loop {
            tokio::select! {
                // The clock first: under a flood there is always an event, and the look must come all the same.
                biased;
                () = sleep_until(self.look_at) => return,
                () = self.stirred.notified() => {
                    let now = Instant::now();
                    let by = *self.look_by.get_or_insert(now + self.rhythm.burst_max);
                    self.look_at = by.min(now + self.rhythm.quiet);
                }
            }
        }
    }

    /// Takes one look, off this thread: a hanging network mount must hold nobody else up. None if the look was at
    /// something else than what is watched by now, or if it died.
    async fn look(&mut self) -> Option<Fingerprint> {
        let looking = match &mut self.looking {
            Some(looking) => looking,
            None => {
                let set = Arc::clone(&self.set);
                let mut watched = self
                    .watched
                    .take()
                    .unwrap_or_else(|| Watched::new(Arc::clone(&self.stirred)));
                self.looking.insert(task::spawn_blocking(move || {
                    // Watch first, then read: a change after the reading then raises an event.
                    watched.arm(&set);
                    let fingerprint = fingerprint(&set);
                    Look {
                        watched,
                        set,
                        fingerprint,
                    }
                }))
            }
        };
        let look = looking.await;
        self.looking = None;
        let Ok(Look {
            watched,
            set,
            fingerprint,
        }) = look
        else {
            tracing::warn!("a look at the configuration files died; looking again soon");
            self.rest(self.rhythm.poll_blind);
            return None;
        };
        let pause = if watched.is_blind() {
            self.rhythm.poll_blind
        } else {
            self.rhythm.poll
        };
        self.watched = Some(watched);
        if !Arc::ptr_eq(&set, &self.set) {
            return None;
        }
        self.rest(pause);
        Some(fingerprint)
    }

    /// No look before `pause` is over, unless there is an event.
    fn rest(&mut self, pause: Duration) {
        self.look_at = Instant::now() + pause;
        self.look_by = None;
    }
}

// === impl Rhythm ===

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            quiet: QUIET,
            burst_max: BURST_MAX,
            poll: POLL_INTERVAL,
            poll_blind: POLL_INTERVAL_BLIND,
        }
    }
}
