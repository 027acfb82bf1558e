//! The program that is measured.

use std::fs::File;
use std::io::Read;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How the program was built, and which file it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// SHA-256 of the program file, where it can be read.
    pub sha256: Option<String>,
    /// Cargo's profile: `release`, `debug`, or one by its own name.
    pub profile: String,
    /// Optimisation level of the profile.
    pub opt_level: String,
    /// Whether checks for development are in it.
    pub debug_assertions: bool,
    /// The compiler with its version.
    pub rustc: String,
    /// The target triple.
    pub target: String,
    /// Processor features that the compiler may use.
    pub target_features: String,
    /// Flags that the compiler was given beside the profile.
    pub flags: String,
}

impl Build {
    /// Of the running program.
    pub fn of_this_program() -> Self {
        Self {
            sha256: std::env::current_exe().ok().and_then(|path| sha256(File::open(path).ok()?)),
            profile: env!("WAKEGATE_BUILD_PROFILE").to_owned(),
            opt_level: env!("WAKEGATE_BUILD_OPT_LEVEL").to_owned(),
            debug_assertions: cfg!(debug_assertions),
            rustc: env!("WAKEGATE_BUILD_RUSTC").to_owned(),
            target: env!("WAKEGATE_BUILD_TARGET").to_owned(),
            target_features: env!("WAKEGATE_BUILD_TARGET_FEATURES").to_owned(),
            flags: env!("WAKEGATE_BUILD_FLAGS").to_owned(),
        }
    }

    /// The compiler without its commit: `rustc 1.95.0`.
    pub fn compiler(&self) -> String {
        self.rustc.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }

    /// Whether `other` is the same program file.
    pub fn is_same(&self, other: &Self) -> bool {
        self.sha256.is_some() && self.sha256 == other.sha256
    }
}

fn sha256(mut file: File) -> Option<String> {
    let (mut digest, mut block) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut block).ok()?;
        if count == 0 {
            break;
        }
        digest.update(&block[..count]);
    }
    Some(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_build_of_this_test_is_known() {
        let build = Build::of_this_program();
        assert!(build.rustc.starts_with("rustc 1."), "{build:?}");
        assert_eq!(build.compiler().split(' ').count(), 2);
        assert!(build.target.contains(std::env::consts::ARCH), "{build:?}");
        assert!(!build.profile.is_empty() && build.profile != "build", "{build:?}");
        assert_eq!(build.debug_assertions, cfg!(debug_assertions));
        assert_eq!(build.sha256.as_ref().map(String::len), Some(64));
        assert!(build.is_same(&build.clone()));
        let unknown = Build { sha256: None, ..build };
        assert!(!unknown.is_same(&unknown.clone()), "nothing is known to be the same");
    }
}
