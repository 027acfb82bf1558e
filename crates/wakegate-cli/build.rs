//! What `wakegate --version` says of its own build.

use std::env;
use std::process::Command;

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
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    for file in ["HEAD", "index"] {
        if let Some(path) = git(&["rev-parse", "--git-path", file]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["describe", "--always", "--dirty", "--exclude=*"]).unwrap_or_else(|| "unknown".to_owned())
}
