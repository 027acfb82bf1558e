//! What `wakegate --version` says of its own build.

use std::env;
use std::fs;
use std::process::Command;

/// Where this crate lies in our repository. In another, for instance a home folder that is one and
/// has Cargo's registry in it, a commit says nothing of us.
const PLACE: &str = "crates/wakegate-cli/";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=WAKEGATE_COMMIT");
    println!("cargo:rustc-env=WAKEGATE_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!("cargo:rustc-env=WAKEGATE_COMMIT={}", commit());
}

/// The commit, or why there is none. A development build has none: it would be compiled anew with
/// every commit.
fn commit() -> String {
    if let Ok(named) = env::var("WAKEGATE_COMMIT") {
        return named;
    }
    if env::var("PROFILE").as_deref() != Ok("release") {
        return "development build".to_owned();
    }
    packed().or_else(checked_out).unwrap_or_else(|| "unknown".to_owned())
}

/// What Cargo wrote into a packed crate.
fn packed() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let sha1 = text.split('"').skip_while(|part| *part != "sha1").nth(2)?;
    let dirty = if text.contains("\"dirty\": true") { "-dirty" } else { "" };
    Some(format!("{}{dirty}", sha1.get(..7)?))
}

/// What git says of a checkout.
fn checked_out() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    if git(&["rev-parse", "--show-prefix"])? != PLACE {
        return None;
    }
    for file in ["HEAD", "index"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["describe", "--always", "--dirty", "--exclude=*"])
}
