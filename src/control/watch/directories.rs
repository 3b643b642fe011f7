//! Which directories to watch, so that nothing can change what a path leads to without an event.
//!
//! The path is walked as the kernel walks it, one name at a time. Every directory that holds a link on the way, and
//! the one that holds the file at the end, is worth watching: only there can the meaning of the path change. If a
//! name is missing, the directory where it would appear is watched instead. The results contain no links
//! themselves, so one directory is never watched under two names.

use std::{
    collections::{BTreeSet, VecDeque},
    ffi::OsString,
    fs,
    path::{Component, Path, PathBuf},
};

use super::{WatchSet, fingerprint::Listing};

/// Links followed on the way to one file: Linux itself gives up at 40, so nobody can have more.
const LINKS_MAX: usize = 40;

/// Every directory whose entries decide what the files of `set` are.
pub(super) fn directories(set: &WatchSet) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for file in &set.files {
        walk(file, &mut found);
    }
    for directory in &set.directories {
        if let Some(end) = walk(directory, &mut found) {
            found.insert(end);
        }
        // Listed files may be links to elsewhere.
        if let Listing::Files(files) = Listing::of(directory) {
            for file in &files {
                walk(file, &mut found);
            }
        }
    }
    found
}

/// Adds the directories on the way to `path`, and returns where it ends if it exists.
fn walk(path: &Path, found: &mut BTreeSet<PathBuf>) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut pending = VecDeque::new();
    prepend(&path, &mut pending);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(step) = pending.pop_front() {
        match step {
            Step::Root => at = PathBuf::from("/"),
            Step::Up => {
                at.pop();
            }
            Step::Into(name) => {
                let next = at.join(name);
                let Ok(metadata) = fs::symlink_metadata(&next) else {
                    found.insert(at);
                    return None;
                };
                if metadata.is_symlink() {
                    found.insert(at.clone());
                    links += 1;
                    if links > LINKS_MAX {
                        return None;
                    }
                    prepend(&fs::read_link(&next).ok()?, &mut pending);
                } else {
                    if pending.is_empty() {
                        found.insert(at);
                    }
                    at = next;
                }
            }
        }
    }
    Some(at)
}

/// One name of a path.
enum Step {
    Root,
    Up,
    Into(OsString),
}

fn prepend(path: &Path, pending: &mut VecDeque<Step>) {
    for component in path.components().rev() {
        match component {
            Component::Prefix(_) | Component::RootDir => pending.push_front(Step::Root),
            Component::CurDir => {}
            Component::ParentDir => pending.push_front(Step::Up),
            Component::Normal(name) => pending.push_front(Step::Into(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A tree with one of each: the walk of `path` must name exactly `expected`, relative to the tree.
    #[track_caller]
    fn check(path: &str, expected: &[&str]) {
        let guard = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(guard.path()).unwrap();
        fs::create_dir_all(root.join("etc/..2026_1")).unwrap();
        fs::create_dir_all(root.join("real/apis.d")).unwrap();
        fs::write(root.join("etc/..2026_1/tollgate.toml"), "").unwrap();
        fs::write(root.join("real/plain.toml"), "").unwrap();
        symlink("..2026_1", root.join("etc/..data")).unwrap();
        symlink("..data/tollgate.toml", root.join("etc/tollgate.toml")).unwrap();
        symlink(root.join("real"), root.join("alias")).unwrap();
        symlink("../real/plain.toml", root.join("etc/up.toml")).unwrap();
        symlink("loop.toml", root.join("etc/loop.toml")).unwrap();

        let mut found = BTreeSet::new();
        walk(&root.join(path), &mut found);
        let found: Vec<_> = found
            .iter()
            .map(|path| path.strip_prefix(&root).unwrap().to_str().unwrap())
            .collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn every_directory_that_can_change_a_path_is_named() {
        check("real/plain.toml", &["real"]);
        check("real/../real/plain.toml", &["real"]);
        check("etc/tollgate.toml", &["etc", "etc/..2026_1"]);
        check("etc/up.toml", &["etc", "real"]);
        check("alias/plain.toml", &["", "real"]);
        check("alias/apis.d", &["", "real"]);
        check("alias/absent/deep/a.toml", &["", "real"]);
        check("real/absent.toml", &["real"]);
        check("etc/loop.toml", &["etc"]);
    }
}
