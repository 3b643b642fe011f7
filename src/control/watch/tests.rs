//! Every way in which files change, on a real file system. The tests with events poll once an hour, so what they
//! see are events; the tests of polling get none.

use std::{
    fs, iter,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
};

use notify::Watcher as _;
use tempfile::TempDir;
use tokio::time::timeout;

use super::{watched::Open, *};

/// Nothing here takes longer on a machine that works.
const DEADLINE: Duration = Duration::from_secs(10);

const EVENTS_ONLY: Rhythm = Rhythm {
    quiet: Duration::from_millis(20),
    burst_max: Duration::from_millis(200),
    poll: Duration::from_secs(3600),
    poll_blind: Duration::from_secs(3600),
};

/// A directory, and a watcher of some of it.
struct Scene {
    root: TempDir,
    set: WatchSet,
    watcher: Watcher,
}

// === impl Scene ===

impl Scene {
    /// Lays out a directory with `before`, then watches `files` and `directories` in it.
    async fn new(files: &[&str], directories: &[&str], before: impl FnOnce(&Path)) -> Self {
        let mut scene = Self::unarmed(files, directories, before);
        scene.look_without_change().await;
        assert!(
            !scene.watcher.watched.as_ref().unwrap().is_blind(),
            "these tests need inotify"
        );
        scene
    }

    fn unarmed(files: &[&str], directories: &[&str], before: impl FnOnce(&Path)) -> Self {
        let root = tempfile::tempdir().unwrap();
        before(root.path());
        let below = |names: &[&str]| names.iter().map(|name| root.path().join(name)).collect();
        let set = WatchSet {
            files: below(files),
            directories: below(directories),
        };
        let mut watcher = Watcher::new(set.clone(), fingerprint(&set));
        watcher.rhythm = EVENTS_ONLY;
        Self { root, set, watcher }
    }

    /// As if notify had been started by `open`, and events did not count.
    fn polling(open: Open, rhythm: Rhythm) -> Self {
        let mut scene = Self::unarmed(&["a.toml"], &[], |root| write(root.join("a.toml"), "1"));
        let stirred = Arc::new(Notify::new());
        let watched = Watched::opened_by(Arc::clone(&stirred), open);
        scene.watcher = Watcher::with(
            scene.set.clone(),
            fingerprint(&scene.set),
            stirred,
            watched,
            rhythm,
        );
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Waits for the next look, which must find nothing new.
    async fn look_without_change(&mut self) {
        let look = async {
            self.watcher.settle().await;
            self.watcher.look().await
        };
        let seen = timeout(DEADLINE, look)
            .await
            .expect("there was no reason to look");
        assert_eq!(seen, Some(self.watcher.reported));
    }

    /// Waits until what the files say now is what was last reported, and says how many reports that took.
    async fn reports(&mut self) -> usize {
        let now = fingerprint(&self.set);
        assert_ne!(self.watcher.reported, now, "the test changed nothing");
        for count in 1.. {
            timeout(DEADLINE, self.watcher.changed())
                .await
                .expect("the change was not reported");
            if self.watcher.reported == now {
                return count;
            }
        }
        unreachable!()
    }
}

fn write(path: PathBuf, text: &str) {
    fs::write(path, text).unwrap();
}

/// What the kubelet does to a mounted ConfigMap.
fn publish(root: &Path, version: &str, text: &str) {
    let old = fs::read_link(root.join("..data")).ok();
    fs::create_dir(root.join(version)).unwrap();
    write(root.join(version).join("a.toml"), text);
    symlink(version, root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    if let Some(old) = old {
        fs::remove_dir_all(root.join(old)).unwrap();
    }
}

#[tokio::test]
async fn each_way_to_change_a_file_is_reported() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 9] = [
        ("written in place", |root| write(root.join("a.toml"), "2")),
        ("renamed over", |root| {
            write(root.join("a.toml~"), "2");
            fs::rename(root.join("a.toml~"), root.join("a.toml")).unwrap();
        }),
        ("moved away and written anew", |root| {
            fs::rename(root.join("a.toml"), root.join("a.toml~")).unwrap();
            write(root.join("a.toml"), "2");
        }),
        ("deleted", |root| fs::remove_file(root.join("a.toml")).unwrap()),
        ("absent file created", |root| write(root.join("absent.toml"), "2")),
        ("new file in the directory", |root| {
            write(root.join("apis.d/new.toml"), "2")
        }),
        ("file of the directory written", |root| {
            write(root.join("apis.d/old.toml"), "2")
        }),
        ("file of the directory deleted", |root| {
            fs::remove_file(root.join("apis.d/old.toml")).unwrap()
        }),
        ("directory deleted", |root| {
            fs::remove_dir_all(root.join("apis.d")).unwrap()
        }),
    ];
    for (name, change) in changes {
        let mut scene = Scene::new(&["a.toml", "absent.toml"], &["apis.d"], |root| {
            write(root.join("a.toml"), "1");
            fs::create_dir(root.join("apis.d")).unwrap();
            write(root.join("apis.d/old.toml"), "1");
        })
        .await;
        change(scene.root.path());
        assert_eq!(scene.reports().await, 1, "{name}");
    }
}

#[tokio::test]
async fn a_swapped_link_is_reported_again_and_again() {
    let mut scene = Scene::new(&["a.toml"], &[], |root| {
        publish(root, "..2026_1", "1");
        symlink("..data/a.toml", root.join("a.toml")).unwrap();
    })
    .await;
    for version in 2..5 {
        publish(
            scene.root.path(),
            &format!("..2026_{version}"),
            &version.to_string(),
        );
        assert!(scene.reports().await >= 1);
    }
    // The directory that the link leads to by now is watched too.
    write(scene.path("..2026_4/a.toml"), "in place");
    assert!(scene.reports().await >= 1);
}

#[tokio::test]
async fn a_directory_may_come_later_go_and_come_back() {
    let mut scene = Scene::new(&[], &["conf/apis.d"], |_| {}).await;
    fs::create_dir(scene.path("conf")).unwrap();
    fs::create_dir(scene.path("conf/apis.d")).unwrap();
    scene.reports().await;
    for round in 0..3 {
        write(scene.path("conf/apis.d/a.toml"), &round.to_string());
        scene.reports().await;
        fs::rename(scene.path("conf"), scene.path(&format!("old{round}"))).unwrap();
        fs::create_dir_all(scene.path("conf/apis.d")).unwrap();
        scene.reports().await;
    }
}

#[tokio::test]
async fn what_changes_no_contents_is_not_reported() {
    let mut scene = Scene::new(&["a.toml"], &["apis.d"], |root| {
        write(root.join("a.toml"), "1");
        fs::create_dir(root.join("apis.d")).unwrap();
    })
    .await;

    let touched = fs::File::options()
        .append(true)
        .open(scene.path("a.toml"))
        .unwrap();
    touched.set_modified(std::time::UNIX_EPOCH).unwrap();
    drop(touched);
    scene.look_without_change().await;
    write(scene.path("a.toml"), "1");
    scene.look_without_change().await;
    write(scene.path("apis.d/.a.toml.swp"), "x");
    scene.look_without_change().await;

    write(scene.path("a.toml"), "2");
    assert_eq!(scene.reports().await, 1);
}

#[test]
fn our_own_looks_raise_no_events() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| fs::canonicalize(root.path()).unwrap().join(name);
    write(path("a.toml"), "1");
    let (seen, events) = mpsc::channel();
    let mut notify = notify::recommended_watcher(move |event| seen.send(event).unwrap()).unwrap();
    notify
        .watch(&path(""), notify::RecursiveMode::NonRecursive)
        .unwrap();

    let set = WatchSet {
        files: vec![path("a.toml")],
        directories: vec![path("")],
    };
    let _ = fingerprint(&set);
    let _ = directories::directories(&set);
    write(path("end"), "");

    // Events come in order: those of the look before that of the file that ends the test.
    let event = iter::from_fn(|| events.recv_timeout(DEADLINE).ok()).find(watched::stirs);
    assert_eq!(
        event.expect("not even a new file raises an event").unwrap().paths,
        [path("end")]
    );
}

#[tokio::test]
async fn of_many_writes_the_last_is_reported_and_few_of_the_others() {
    let mut scene = Scene::new(&["a.toml"], &[], |root| write(root.join("a.toml"), "0")).await;
    let path = scene.path("a.toml");
    let started = Instant::now();
    let writer = thread::spawn(move || (1..=100).for_each(|round| write(path.clone(), &round.to_string())));

    let mut reports: u32 = 0;
    while !(writer.is_finished() && scene.watcher.reported == fingerprint(&scene.set)) {
        timeout(DEADLINE, scene.watcher.changed())
            .await
            .expect("the last write was not reported");
        reports += 1;
    }
    writer.join().unwrap();
    assert_eq!(fs::read(scene.path("a.toml")).unwrap(), b"100");
    let spells = started.elapsed().as_millis() / EVENTS_ONLY.quiet.as_millis();
    assert!(
        u128::from(reports) <= 1 + spells,
        "{reports} reports in {spells} spells of quiet"
    );
}

#[tokio::test]
async fn a_dropped_future_loses_nothing() {
    let mut scene = Scene::new(&["a.toml"], &[], |root| write(root.join("a.toml"), "1")).await;
    write(scene.path("a.toml"), "2");
    let impatient = async {
        // Shorter than the quiet, so no single call gets through.
        while timeout(EVENTS_ONLY.quiet / 10, scene.watcher.changed())
            .await
            .is_err()
        {}
    };
    timeout(DEADLINE, impatient).await.expect("the event was lost");
    assert_eq!(scene.watcher.reported, fingerprint(&scene.set));
}

#[tokio::test]
async fn a_change_before_watching_is_reported() {
    // Between baseline and the first look.
    let mut scene = Scene::unarmed(&["a.toml"], &[], |root| write(root.join("a.toml"), "1"));
    write(scene.path("a.toml"), "2");
    assert_eq!(scene.reports().await, 1);

    // Between a new baseline and the new set.
    let other = WatchSet {
        files: vec![scene.path("b.toml")],
        directories: Vec::new(),
    };
    let baseline = fingerprint(&other);
    write(scene.path("b.toml"), "1");
    scene.watcher.watch(other.clone(), baseline);
    scene.set = other;
    assert_eq!(scene.reports().await, 1);

    // The old set is forgotten, the new one watched.
    write(scene.path("a.toml"), "3");
    write(scene.path("b.toml"), "2");
    assert_eq!(scene.reports().await, 1);
}

#[tokio::test]
async fn without_events_the_poll_sees_it() {
    let millis = Duration::from_millis;
    let hour = Duration::from_secs(3600);
    let deaf: Open = |_| notify::recommended_watcher(|_| {});
    let denied: Open = |_| Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
    let cases = [
        (
            "events are lost",
            deaf,
            Rhythm {
                poll: millis(10),
                poll_blind: hour,
                ..EVENTS_ONLY
            },
            false,
        ),
        (
            "watches are denied",
            denied,
            Rhythm {
                poll: hour,
                poll_blind: millis(10),
                ..EVENTS_ONLY
            },
            true,
        ),
    ];
    for (name, open, rhythm, blind) in cases {
        let mut scene = Scene::polling(open, rhythm);
        scene.look_without_change().await;
        assert_eq!(
            scene.watcher.watched.as_ref().unwrap().is_blind(),
            blind,
            "{name}"
        );
        for round in 2..5 {
            write(scene.path("a.toml"), &round.to_string());
            assert_eq!(scene.reports().await, 1, "{name}");
        }
    }
}

#[test]
fn fingerprints_tell_contents_apart_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let files = |names: &[&str]| WatchSet {
        files: names.iter().map(|name| path(name)).collect(),
        directories: Vec::new(),
    };
    write(path("a"), "1");
    write(path("b"), "1");
    write(path("empty"), "");
    fs::create_dir(path("d")).unwrap();
    symlink("loop", path("loop")).unwrap();

    let sets = [
        files(&[]),
        files(&["a"]),
        files(&["b"]),
        files(&["a", "b"]),
        files(&["empty"]),
        files(&["absent"]),
        files(&["d"]),
        files(&["loop"]),
        WatchSet {
            files: Vec::new(),
            directories: vec![path("d")],
        },
        WatchSet {
            files: Vec::new(),
            directories: vec![path("absent")],
        },
    ];
    for (left, one) in sets.iter().enumerate() {
        for (right, other) in sets.iter().enumerate() {
            assert_eq!(
                fingerprint(one) == fingerprint(other),
                left == right,
                "{one:?} {other:?}"
            );
        }
    }
    assert_eq!(
        fingerprint(&files(&["b", "a", "a"])),
        fingerprint(&files(&["a", "b"]))
    );

    // One path, every length around the chunk that is read at once.
    let seen: Vec<_> = [0, 1, 65_535, 65_536, 65_537, 131_072]
        .into_iter()
        .map(|length| {
            write(path("a"), &iter::repeat_n('x', length).collect::<String>());
            fingerprint(&files(&["a"]))
        })
        .collect();
    for (index, one) in seen.iter().enumerate() {
        assert!(!seen[..index].contains(one), "{index}");
    }
}

#[test]
fn a_huge_file_is_known_by_its_length() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("huge.toml");
    let set = WatchSet {
        files: vec![path.clone()],
        directories: Vec::new(),
    };
    let file = fs::File::create(&path).unwrap();
    // Sparse: reading a terabyte would not end before the test's own deadline.
    file.set_len(1 << 40).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let before = fingerprint(&set);
    assert_eq!(before, fingerprint(&set));
    file.set_len((1 << 40) + 1).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_ne!(before, fingerprint(&set));
}
