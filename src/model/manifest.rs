//! `manifest.toml`: everything about a model that isn't in its two ONNX files.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::manifest_checks::{file_name, in_range, one_line, refused, sha256, stated};
use crate::audio::SAMPLE_RATE;
use crate::frontend::Settings;
use crate::{Error, ErrorKind, Result};

/// The manifest form this version reads.
pub const SCHEMA: u32 = 1;

/// The verifier's classes, in the order of its `posteriors` output.
pub const LABELS: [&str; 3] = ["intended", "not_wake_word", "not_addressed"];

/// Most early moments: each may cost a run of the verifier for every candidate.
const MOST_MOMENTS: usize = 16;

/// A model's manifest. Unknown keys are refused and every value is range-checked by
/// [`Manifest::parse`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of the manifest; [`SCHEMA`].
    pub schema: u32,
    /// Name of the model: lower-case letters, digits and hyphens.
    pub name: String,
    /// Version of the model, from 1.
    pub version: u32,
    /// The wake word it listens for, as reports show it.
    pub wake_word: String,
    /// Languages in which it is said, as BCP 47 tags such as `en`; empty where nobody says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Settings of the front end that the networks were trained behind.
    pub frontend: Settings,
    /// Stage one.
    pub spotter: Spotter,
    /// Stage two.
    pub verifier: Verifier,
    /// From posteriors to verdicts.
    pub decision: Decision,
}

/// The spotter's file and the way its posteriors become candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spotter {
    /// File name inside the package.
    pub file: String,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Frames that one step takes.
    pub frames_per_step: usize,
    /// Posterior from which a step counts towards a candidate.
    pub threshold: f32,
    /// Consecutive steps at or above the threshold that make a candidate.
    pub patience_steps: u32,
    /// Seconds after the trigger in which the highest step is looked for.
    pub peak_search_s: f64,
    /// Least distance between two candidates in seconds.
    pub refractory_s: f64,
    /// How long before the end of the peak step's last frame the word ended, in seconds.
    pub end_offset_s: f64,
    /// Usual length of the word in seconds, for a start where the verifier gives none.
    pub word_s: f64,
}

/// The verifier's file, window and classes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verifier {
    /// File name inside the package.
    pub file: String,
    /// SHA-256 of the file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Seconds before the candidate's anchor that the window holds; a whole number of hops.
    pub before_s: f64,
    /// Seconds after it, at most 1.0; a whole number of hops.
    pub after_s: f64,
    /// Classes of the output `posteriors`; [`LABELS`].
    pub labels: Vec<String>,
    /// When the word itself is decided; without it, with the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<Word>,
    /// When a verdict may come before the window's end; without it none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<Early>,
}

/// When the wake word counts as said, whatever it was meant for: an assistant waits for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Seconds behind the word's end, as the verifier hears it, that have to be heard.
    pub after_s: f64,
    /// Posterior of the wake word from which it is said: of the window whose rest is the last
    /// frame heard again.
    pub at: f32,
}

/// Moments at which a candidate is judged by what was heard until then, and how sure the
/// verifier has to be for a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Early {
    /// Seconds after the candidate's anchor, rising, each a whole number of hops and before the
    /// window's end.
    pub after_s: Vec<f64>,
    /// Posterior of intended from which the verdict is intended: of the window whose rest is
    /// the last frame heard again. It needs the next three keys as well.
    pub intended_at: f32,
    /// Least posterior of intended of the window that ends at the moment.
    pub moved_at: f32,
    /// Length of the pause in seconds that has to end at the moment; a whole number of hops.
    pub pause_s: f64,
    /// How much louder than the window's quiet the pause may be, in natural-log mel power.
    pub quiet_within: f32,
    /// Below it the verdict is accidental; 0 for never.
    pub accidental_below: f32,
    /// Moments in a row that have to agree.
    pub consecutive: u32,
}

/// The two thresholds on the posterior of `intended`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// At or above it the verdict is intended.
    pub intended_at: f32,
    /// Below it the verdict is accidental; between the two it is unsure.
    pub accidental_below: f32,
    /// Other operating points by name, measured as the card says; without it there is one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<SensitivityPoints>,
}

/// `intended_at` of the operating points beside the default one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitivityPoints {
    /// Of [`Sensitivity::Low`]; not below `intended_at`.
    pub low: f32,
    /// Of [`Sensitivity::High`]; not above `intended_at`.
    pub high: f32,
}

/// How readily a wake word is taken for intended: an operating point that the model's card has
/// figures for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    /// Fewer false accepts, more misses.
    Low,
    /// The model's own thresholds.
    #[default]
    Default,
    /// Fewer misses, more false accepts.
    High,
}

impl FromStr for Sensitivity {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        match name {
            "low" => Ok(Self::Low),
            "default" => Ok(Self::Default),
            "high" => Ok(Self::High),
            other => Err(format!("expected low, default or high, found {other:?}")),
        }
    }
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for TOML that does not parse, an unknown or missing key, or a
    /// value out of its range.
    pub fn parse(text: &str) -> Result<Self> {
        let manifest: Self = toml::from_str(text).map_err(|error| {
            Error::new(ErrorKind::Model, "cannot read the manifest")
                .found(one_line(&error, text))
                .hint("compare it with models/alexa-3/manifest.toml")
        })?;
        manifest.validate()?;
        Ok(manifest)
    }

    /// `name-version`, as reports show the model.
    pub fn id(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }

    /// SHA-256 of all that it says, in hexadecimal: networks, thresholds, the rule of early verdicts.
    /// Two models of one hash judge alike.
    pub fn sha256(&self) -> String {
        // Cannot fail: it was read from text.
        let text = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Samples in one hop.
    pub fn hop_samples(&self) -> usize {
        self.frontend.hop_samples()
    }

    /// Frames of the verifier's window before the anchor.
    pub fn before_frames(&self) -> usize {
        self.frames(self.verifier.before_s)
    }

    /// Frames of the verifier's window after the anchor.
    pub fn after_frames(&self) -> usize {
        self.frames(self.verifier.after_s)
    }

    /// Frames of the verifier's window.
    pub fn window_frames(&self) -> usize {
        self.before_frames() + self.after_frames()
    }

    /// Frames of the verifier's window before each early moment, rising; none without early
    /// verdicts.
    pub fn early_frames(&self) -> Vec<usize> {
        let moments = self.verifier.early.iter().flat_map(|early| &early.after_s);
        moments.map(|&seconds| self.before_frames() + self.frames(seconds)).collect()
    }

    /// Frames of the pause that an early intended verdict needs; none without early verdicts.
    pub fn pause_frames(&self) -> usize {
        self.verifier.early.as_ref().map_or(0, |early| self.frames(early.pause_s))
    }

    fn frames(&self, seconds: f64) -> usize {
        (seconds * f64::from(SAMPLE_RATE) / self.hop_samples() as f64).round() as usize
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.schema != SCHEMA {
            return Err(refused("schema")
                .expected(SCHEMA.to_string())
                .found(self.schema.to_string())
                .hint("the model was made for another version of wakegate"));
        }
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if self.name.is_empty() || !self.name.chars().all(plain) {
            return Err(refused("name")
                .expected("lower-case letters, digits and hyphens")
                .found(format!("{:?}", self.name)));
        }
        in_range("version", f64::from(self.version), 1.0, 1e6)?;
        stated("wake_word", &self.wake_word)?;
        stated("licence", &self.licence)?;
        for language in &self.languages {
            let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
            if !(2..=35).contains(&language.len()) || !language.chars().all(tag) {
                return Err(refused("languages")
                    .expected("BCP 47 tags, such as \"en\" or \"pt-BR\"")
                    .found(format!("{:?}", language.chars().take(40).collect::<String>())));
            }
        }
        self.frontend.validate().map_err(|error| error.context("manifest [frontend]"))?;
        self.validate_spotter()?;
        self.validate_verifier()?;
        let decision = &self.decision;
        in_range("decision.intended_at", f64::from(decision.intended_at), 0.001, 1.0)?;
        in_range(
            "decision.accidental_below",
            f64::from(decision.accidental_below),
            0.001,
            f64::from(decision.intended_at),
        )?;
        if let Some(points) = &decision.sensitivity {
            let (field, default) = ("decision.sensitivity.low", f64::from(decision.intended_at));
            in_range(field, f64::from(points.low), default, 1.0)?;
            let (field, least) =
                ("decision.sensitivity.high", f64::from(decision.accidental_below));
            in_range(field, f64::from(points.high), least, default)?;
        }
        if let Some(word) = &self.verifier.word {
            in_range("verifier.word.after_s", word.after_s, 0.0, self.verifier.after_s)?;
            in_range("verifier.word.at", f64::from(word.at), 0.001, 1.0)?;
        }
        self.verifier.early.as_ref().map_or(Ok(()), |early| self.validate_early(early))
    }

    fn validate_spotter(&self) -> Result<()> {
        let spotter = &self.spotter;
        file_name("spotter.file", &spotter.file)?;
        sha256("spotter.sha256", &spotter.sha256)?;
        in_range("spotter.frames_per_step", spotter.frames_per_step as f64, 1.0, 100.0)?;
        in_range("spotter.threshold", f64::from(spotter.threshold), 0.001, 0.999)?;
        in_range("spotter.patience_steps", f64::from(spotter.patience_steps), 1.0, 50.0)?;
        in_range("spotter.peak_search_s", spotter.peak_search_s, 0.0, 2.0)?;
        in_range("spotter.refractory_s", spotter.refractory_s, 0.1, 10.0)?;
        in_range("spotter.end_offset_s", spotter.end_offset_s, -0.5, 1.0)?;
        in_range("spotter.word_s", spotter.word_s, 0.05, 5.0)
    }

    fn validate_verifier(&self) -> Result<()> {
        let verifier = &self.verifier;
        file_name("verifier.file", &verifier.file)?;
        sha256("verifier.sha256", &verifier.sha256)?;
        in_range("verifier.before_s", verifier.before_s, 0.1, 10.0)?;
        in_range("verifier.after_s", verifier.after_s, 0.0, 1.0)?;
        self.whole_hops("verifier.before_s", verifier.before_s)?;
        self.whole_hops("verifier.after_s", verifier.after_s)?;
        if verifier.labels != LABELS {
            return Err(refused("verifier.labels")
                .expected(format!("{LABELS:?}"))
                .found(format!("{:?}", verifier.labels))
                .hint("the verifier must give these classes in this order"));
        }
        Ok(())
    }

    /// An early verdict is never easier than the one at the window's end.
    fn validate_early(&self, early: &Early) -> Result<()> {
        let (field, decision) = ("verifier.early.after_s", &self.decision);
        let count = early.after_s.len();
        if !(1..=MOST_MOMENTS).contains(&count) {
            return Err(refused(field)
                .expected(format!("1 to {MOST_MOMENTS} moments"))
                .found(count.to_string()));
        }
        // The last hop of 0.8 s is at 0.79, whatever the nearest binary fractions are.
        let slack = 1e-9;
        let hop_s = self.frontend.hop_ms / 1e3;
        let mut least = hop_s;
        for &seconds in &early.after_s {
            let most = self.verifier.after_s - hop_s;
            in_range(field, seconds, least - slack, most + slack)?;
            self.whole_hops(field, seconds)?;
            least = seconds + hop_s;
        }
        in_range("verifier.early.consecutive", f64::from(early.consecutive), 1.0, count as f64)?;
        let field = "verifier.early.pause_s";
        in_range(field, early.pause_s, hop_s - slack, self.verifier.before_s)?;
        self.whole_hops(field, early.pause_s)?;
        in_range("verifier.early.quiet_within", f64::from(early.quiet_within), 0.0, 20.0)?;
        in_range("verifier.early.moved_at", f64::from(early.moved_at), 0.0, 1.0)?;
        let (field, value) = ("verifier.early.intended_at", early.intended_at);
        in_range(field, f64::from(value), f64::from(decision.intended_at), 1.0)?;
        let (field, value) = ("verifier.early.accidental_below", early.accidental_below);
        in_range(field, f64::from(value), 0.0, f64::from(decision.accidental_below))
    }

    fn whole_hops(&self, field: &str, seconds: f64) -> Result<()> {
        let hops = seconds * f64::from(SAMPLE_RATE) / self.hop_samples() as f64;
        if (hops - hops.round()).abs() <= 1e-6 {
            return Ok(());
        }
        Err(refused(field)
            .expected(format!("a whole number of hops of {} ms", self.frontend.hop_ms))
            .found(format!("{seconds} s, {hops} hops")))
    }
}
