//! What `wakegate bench` says of its own build: two programs of one source are as far apart as
//! their compilers and flags are.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let text = |name: &str| env::var(name).unwrap_or_default();
    let version = Command::new(text("RUSTC")).arg("--version").output().ok();
    let rustc = version.and_then(|output| String::from_utf8(output.stdout).ok());
    let rustc = rustc.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned());
    // Cargo names only `debug` and `release`; the folder is called as the profile is.
    let out = text("OUT_DIR");
    let folder = Path::new(&out).ancestors().nth(3).and_then(Path::file_name);
    let profile =
        folder.map_or_else(|| text("PROFILE"), |name| name.to_string_lossy().into_owned());
    for (name, value) in [
        ("RUSTC", rustc),
        ("PROFILE", profile),
        ("OPT_LEVEL", text("OPT_LEVEL")),
        ("TARGET", text("TARGET")),
        ("TARGET_FEATURES", text("CARGO_CFG_TARGET_FEATURE")),
        ("FLAGS", text("CARGO_ENCODED_RUSTFLAGS").replace('\u{1f}', " ")),
    ] {
        println!("cargo:rustc-env=WAKEGATE_BUILD_{name}={value}");
    }
}
