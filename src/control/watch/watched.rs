//! The operating system's side of watching: which directories send events, and whether they do.
//!
//! notify stays behind this door. Whatever it cannot do (no more watches, no right to read a directory) makes the
//! watcher blind: it then polls more often, says so once, and tries again at every look.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use notify::{
    ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tokio::sync::Notify;

use super::{WatchSet, directories::directories};

/// Times the directories are looked for again because watching them found new ones. One is usual, two when
/// a link is swapped meanwhile; whoever swaps links faster is caught by the next poll.
const PASSES_MAX: usize = 4;

/// How notify is started. A value, so that a test can deny it.
pub(super) type Open = fn(Arc<Notify>) -> notify::Result<RecommendedWatcher>;

/// The directories that send events at present.
#[derive(Debug)]
pub(super) struct Watched {
    stirred: Arc<Notify>,
    open: Open,
    notify: Option<RecommendedWatcher>,
    directories: BTreeSet<PathBuf>,
    blind: bool,
    warned: bool,
}

// === impl Watched ===

impl Watched {
    /// Nothing is watched before [`Watched::arm`]. Events will raise `stirred`.
    pub(super) fn new(stirred: Arc<Notify>) -> Self {
        Self::opened_by(stirred, open)
    }

    pub(super) fn opened_by(stirred: Arc<Notify>, open: Open) -> Self {
        Self {
            stirred,
            open,
            notify: None,
            directories: BTreeSet::new(),
            blind: false,
            warned: false,
        }
    }

    /// Whether some change may raise no event.
    pub(super) fn is_blind(&self) -> bool {
        self.blind
    }

    /// Watches what `set` depends on now, and nothing else. Blocks on the file system.
    pub(super) fn arm(&mut self, set: &WatchSet) {
        match self.try_arm(set) {
            Ok(()) => {
                if self.warned {
                    tracing::info!("file change events are back");
                }
                self.blind = false;
                self.warned = false;
            }
            Err(error) => {
                self.blind = true;
                // A directory that vanished between finding and watching it is no fault of the system.
                if !self.warned && !matches!(error.kind, ErrorKind::PathNotFound) {
                    self.warned = true;
                    tracing::warn!(%error, "no file change events: looking for changes by polling instead");
                }
            }
        }
    }

    fn try_arm(&mut self, set: &WatchSet) -> notify::Result<()> {
        let mut notify = match self.notify.take() {
            Some(notify) => notify,
            None => (self.open)(Arc::clone(&self.stirred))?,
        };
        let armed = self.arm_all(&mut notify, set);
        self.notify = Some(notify);
        armed
    }

    fn arm_all(&mut self, notify: &mut RecommendedWatcher, set: &WatchSet) -> notify::Result<()> {
        let mut first_error = None;
        for pass in 0..PASSES_MAX {
            let wanted = directories(set);
            // The first pass renews even what is watched: a directory of that name may be a new one by now.
            if pass > 0 && wanted == self.directories {
                break;
            }
            for left in self.directories.difference(&wanted) {
                // It may be gone, and its watch with it.
                let _ = notify.unwatch(left);
            }
            first_error = None;
            for directory in &wanted {
                if let Err(error) = notify.watch(directory, RecursiveMode::NonRecursive) {
                    first_error.get_or_insert(error);
                }
            }
            self.directories = wanted;
        }
        first_error.map_or(Ok(()), Err)
    }
}

/// Starts notify's thread.
fn open(stirred: Arc<Notify>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |event: notify::Result<Event>| {
        if stirs(&event) {
            stirred.notify_one();
        }
    })
}

/// Whether an event may mean a change. Opening and reading do not, and must not: our own looks do both, and would
/// call for the next look for ever. An error (lost events) may mean anything.
pub(super) fn stirs(event: &notify::Result<Event>) -> bool {
    match event {
        Ok(Event {
            kind: EventKind::Access(access),
            ..
        }) => *access == AccessKind::Close(AccessMode::Write),
        Ok(_) | Err(_) => true,
    }
}
