//! Runs a test again with a disk of its own, in a mount namespace that ends with it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Tells the second run where its disk is mounted.
const DISK: &str = "WAKEGATE_TEST_DISK";
/// Tells it what is mounted there.
const SOURCE: &str = "WAKEGATE_TEST_DISK_SOURCE";
/// Mounts a file system of a type with options, from a source, at a folder, and runs the rest.
const SCRIPT: &str = r#"mount -t "$1" -o "$2" "$3" "$4" && shift 4 && exec "$@""#;

/// A disk in memory of `size`, writable by whoever may make a user namespace.
pub fn in_memory(name: &str, size: &str, test: impl FnOnce(&Path)) {
    let options = format!("size={size}");
    let mount = ["tmpfs", &options, "tmpfs"];
    run(name, &["--user", "--map-root-user", "--mount"], mount, test);
}

/// The ext4 file system of an image file, with the file behind it; only root may mount one.
pub fn of_image(name: &str, image: &Path, test: impl FnOnce(&Path, &Path)) {
    let inner = std::env::var_os(SOURCE).map(PathBuf::from);
    let mount = ["ext4", "loop", &image.to_string_lossy()];
    run(name, &["--mount"], mount, |disk| test(disk, inner.as_deref().unwrap_or(image)));
}

/// Whether this is the second run.
pub fn is_inside() -> bool {
    std::env::var_os(DISK).is_some()
}

/// Runs `test`, which is the test of the path `name` (module and function), or says that it is skipped.
fn run(name: &str, spaces: &[&str], mount: [&str; 3], test: impl FnOnce(&Path)) {
    if let Some(disk) = std::env::var_os(DISK) {
        return test(Path::new(&disk));
    }
    let folder = tempfile::tempdir().unwrap();
    let inside = |program: &Path, arguments: &[&str]| -> std::io::Result<Output> {
        Command::new("unshare")
            .args(spaces)
            .args(["sh", "-c", SCRIPT, "sh"])
            .args(mount)
            .arg(folder.path())
            .arg(program)
            .args(arguments)
            .env(DISK, folder.path())
            .env(SOURCE, mount[2])
            .output()
    };
    if !inside(Path::new("true"), &[]).is_ok_and(|output| output.status.success()) {
        crate::skip::skipped(name, "no disk of its own can be mounted here");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let output = inside(&this, &["--exact", name, "--nocapture", "--test-threads=1"]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}
