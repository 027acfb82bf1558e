//! A model package: from a directory, or the one compiled into the binary.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{ErrorKind as Io, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::{Manifest, Sensitivity, SpotterSession, VerifierSession};
use crate::{Error, ErrorKind, Result};

/// Name of the manifest in a package.
const MANIFEST: &str = "manifest.toml";
/// Name of the model card in a package.
const CARD: &str = "MODEL_CARD.md";
/// Largest file of a package; the networks here have less than one.
const MOST_BYTES: u64 = 256 << 20;

/// A package whose manifest and hashes have been checked; its networks are not loaded yet.
#[derive(Clone)]
pub struct Model {
    manifest: Manifest,
    spotter: Cow<'static, [u8]>,
    verifier: Cow<'static, [u8]>,
    card: Cow<'static, str>,
    origin: String,
    directory: Option<PathBuf>,
}

impl Model {
    /// The model compiled into the binary.
    ///
    /// # Errors
    /// As [`Model::open`]; the binary's own model goes through the same checks.
    #[cfg(feature = "embedded-model")]
    pub fn embedded() -> Result<Self> {
        let manifest = include_str!("../../models/alexa-3/manifest.toml");
        let spotter = include_bytes!("../../models/alexa-3/spotter.onnx").as_slice();
        let verifier = include_bytes!("../../models/alexa-3/verifier.onnx").as_slice();
        Self {
            manifest: Manifest::parse(manifest)?,
            spotter: spotter.into(),
            verifier: verifier.into(),
            card: include_str!("../../models/alexa-3/MODEL_CARD.md").into(),
            origin: "embedded".to_owned(),
            directory: None,
        }
        .checked()
        .map_err(|error| error.context("the embedded model"))
    }

    /// Reads the package in `directory`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] for a missing or unreadable file, [`ErrorKind::Model`] for a manifest
    /// that is refused or a file whose SHA-256 isn't the manifest's.
    pub fn open(directory: &Path) -> Result<Self> {
        if !directory.is_dir() {
            let missing =
                Error::new(ErrorKind::Io, format!("cannot open the model {}", directory.display()));
            return Err(missing
                .expected(format!("a directory with {MANIFEST}"))
                .found(if directory.exists() { "a file" } else { "nothing there" })
                .hint("give the directory of a package, or leave --model out"));
        }
        let text = text(directory, MANIFEST)?;
        let at = |error: Error| error.context(directory.display());
        let manifest = Manifest::parse(&text).map_err(at)?;
        let spotter = read(directory, &manifest.spotter.file)?.into();
        let verifier = read(directory, &manifest.verifier.file)?.into();
        let card = self::text(directory, CARD)?.into();
        let origin = directory.display().to_string();
        let kept = Some(directory.to_owned());
        Self { manifest, spotter, verifier, card, origin, directory: kept }.checked().map_err(at)
    }

    /// The same model at one of its operating points.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] where the package names no such point.
    pub fn with_sensitivity(self, sensitivity: Sensitivity) -> Result<Self> {
        if sensitivity == Sensitivity::Default {
            return Ok(self);
        }
        let Some(points) = self.manifest.decision.sensitivity.clone() else {
            return Err(Error::new(ErrorKind::Model, "cannot choose a sensitivity")
                .expected("a package with [decision.sensitivity]")
                .found(format!("{} without it", self.manifest.id()))
                .hint("set intended_at instead"));
        };
        let intended_at = if sensitivity == Sensitivity::Low { points.low } else { points.high };
        self.with_thresholds(Some(intended_at), None, None)
    }

    /// The same model with other thresholds, each instead of its own. Those of early verdicts
    /// follow where they would be the easier ones.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for a value out of its range.
    pub fn with_thresholds(
        mut self,
        intended_at: Option<f32>,
        accidental_below: Option<f32>,
        spotter: Option<f32>,
    ) -> Result<Self> {
        let Manifest { spotter: stage_one, verifier, decision, .. } = &mut self.manifest;
        if intended_at.is_some() || accidental_below.is_some() {
            // The named points stand beside the model's own thresholds alone.
            decision.sensitivity = None;
        }
        decision.intended_at = intended_at.unwrap_or(decision.intended_at);
        decision.accidental_below = accidental_below.unwrap_or(decision.accidental_below);
        if let Some(early) = &mut verifier.early {
            early.intended_at = early.intended_at.max(decision.intended_at);
            early.accidental_below = early.accidental_below.min(decision.accidental_below);
        }
        stage_one.threshold = spotter.unwrap_or(stage_one.threshold);
        self.manifest.validate().map_err(|error| error.context(self.manifest.id()))?;
        Ok(self)
    }

    /// Whether the files are still those that were opened; the model in the binary always is.
    ///
    /// # Errors
    /// As [`open`](Self::open), where they are not. What was opened stays as it was.
    pub fn check_files(&self) -> Result<()> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let manifest = &self.manifest;
        for (file, sha256) in [
            (&manifest.spotter.file, &manifest.spotter.sha256),
            (&manifest.verifier.file, &manifest.verifier.sha256),
        ] {
            check_hash(file, &read(directory, file)?, sha256)
                .map_err(|error| error.context(directory.display()))?;
        }
        Ok(())
    }

    /// What the package says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The model card, Markdown.
    pub fn card(&self) -> &str {
        &self.card
    }

    /// Where it came from: a directory, or `embedded`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The size of the two networks in bytes: spotter, verifier.
    pub fn sizes(&self) -> (usize, usize) {
        (self.spotter.len(), self.verifier.len())
    }

    /// Loads the spotter, at the start of a stream.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] if the network is not what the manifest says,
    /// [`ErrorKind::Runtime`] if the runtime cannot be started.
    pub fn spotter(&self) -> Result<SpotterSession> {
        SpotterSession::load(&self.manifest, &self.spotter)
    }

    /// Loads the verifier.
    ///
    /// # Errors
    /// As [`Model::spotter`].
    pub fn verifier(&self) -> Result<VerifierSession> {
        VerifierSession::load(&self.manifest, &self.verifier)
    }

    /// The same model for a wake word of another name: for tests of what stands on it.
    #[doc(hidden)]
    #[must_use]
    pub fn named(mut self, wake_word: &str) -> Self {
        self.manifest.wake_word = wake_word.to_owned();
        self
    }

    fn checked(self) -> Result<Self> {
        let manifest = &self.manifest;
        check_hash(&manifest.spotter.file, &self.spotter, &manifest.spotter.sha256)?;
        check_hash(&manifest.verifier.file, &self.verifier, &manifest.verifier.sha256)?;
        if self.card.trim().is_empty() {
            return Err(Error::new(ErrorKind::Model, format!("{CARD} is empty"))
                .expected("what the model was trained and measured on"));
        }
        Ok(self)
    }
}

/// Reads a plain file of a package. Anything else could hold the program up for ever: a pipe that
/// nobody writes, a device that never ends.
fn read(directory: &Path, name: &str) -> Result<Vec<u8>> {
    let path = directory.join(name);
    let failed = |error: std::io::Error| match error.kind() {
        Io::NotFound => {
            Error::new(ErrorKind::Io, format!("the model {} has no {name}", directory.display()))
                .expected(format!("{MANIFEST}, the two networks it names and {CARD}"))
                .found(format!("no {name}"))
                .hint("copy the whole package")
        }
        _ => Error::io("read", &path, &error),
    };
    let refused = |expected: String, found: &str| {
        Error::new(ErrorKind::Model, format!("{} is refused", path.display()))
            .expected(expected)
            .found(found)
            .hint("copy the package again")
    };
    let flags = OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(refused("a plain file".to_owned(), "something else"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(refused(format!("at most {} MiB", MOST_BYTES >> 20), "more"));
    }
    Ok(bytes)
}

fn text(directory: &Path, name: &str) -> Result<String> {
    String::from_utf8(read(directory, name)?).map_err(|error| {
        Error::new(ErrorKind::Model, format!("cannot read {}", directory.join(name).display()))
            .expected("UTF-8 text")
            .found(format!("another byte at {}", error.utf8_error().valid_up_to()))
    })
}

fn check_hash(file: &str, bytes: &[u8], expected: &str) -> Result<()> {
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Model, format!("{file} is not the manifest's"))
        .expected(format!("sha256 {expected}"))
        .found(format!("sha256 {found}"))
        .hint("the file was altered or cut off; copy the package again"))
}
