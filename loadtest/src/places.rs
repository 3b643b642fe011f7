//! Where things are: the repository, what cargo builds, and programs that are not on everybody's path.
//! What lasts from run to run (keys, tokens, stores) is below cargo's directory, so that `make clean` removes it.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::{Result, While as _};

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository().join("target"), |path| repository().join(path))
}

/// What is kept from run to run; nobody else may read it.
pub(crate) fn kept(name: &str) -> Result<PathBuf> {
    private_directory(&target().join("loadtest").join(name))
}

/// Makes a directory that only its owner may enter.
pub(crate) fn private_directory(path: &Path) -> Result<PathBuf> {
    fs::create_dir_all(path).during(path.display())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).during(path.display())?;
    Ok(path.to_owned())
}

/// A program on the path, or where Debian puts servers.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let others = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let directories = env::split_paths(&path).chain(others);
    let mut found = directories.map(|directory| directory.join(name));
    found.find(|path| path.is_file())
}

/// The sender at a fixed rate, as `make load-tools` installs it.
pub(crate) fn oha() -> Option<PathBuf> {
    let own = target().join("tools/bin/oha");
    if own.is_file() { Some(own) } else { program("oha") }
}

/// Envoy itself: the command of its wheel starts another process, whose CPU time would not be counted.
pub(crate) fn envoy() -> Option<PathBuf> {
    let libraries = fs::read_dir(target().join("peers/lib")).ok()?;
    let inside = |python: PathBuf| python.join("site-packages/envoy/_bin/envoy");
    let mut found = libraries.filter_map(|entry| Some(inside(entry.ok()?.path())));
    found.find(|path| path.is_file())
}
