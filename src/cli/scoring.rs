//! One recording through the pipeline.

use std::path::Path;

use wakegate::audio::{FileSource, SAMPLE_RATE, Source};
use wakegate::gate::{Heard, LiveAudio, Policy, Tape};
use wakegate::model::{Model, Verification};
use wakegate::pipeline::{Activation, Pipeline};
use wakegate::{Error, ErrorKind, Result};

/// What the pipeline says about one recording.
pub struct Scored {
    /// Length in samples at 16 kHz.
    pub samples: u64,
    /// Its activations, in the order of their decisions.
    pub activations: Vec<Activation>,
    /// Without an activation: the verification at the spotter's highest moment.
    pub highest: Option<Verification>,
    /// What the decoder found odd.
    pub warnings: Vec<String>,
    /// For the gate: the activations with the audio around them; empty without a tape.
    pub excerpts: Vec<(Heard, LiveAudio)>,
}

impl Scored {
    /// The activation with the highest posterior of intended, the earliest of equal ones.
    pub fn best(&self) -> Option<&Activation> {
        let mut best: Option<&Activation> = None;
        for activation in &self.activations {
            if best.is_none_or(|b| activation.posteriors.intended() > b.posteriors.intended()) {
                best = Some(activation);
            }
        }
        best
    }
}

/// Scores recordings, one after the other, with one pipeline.
pub struct Scorer {
    pipeline: Pipeline,
    trigger: Option<u64>,
    block: Vec<f32>,
    tape: Option<Tape>,
    wake_word: String,
    model: String,
}

impl Scorer {
    /// With `trigger`, the candidate is the word that ended at that sample; without it,
    /// candidates are the spotter's.
    pub fn new(model: &Model, trigger: Option<u64>) -> Result<Self> {
        let pipeline = match trigger {
            None => Pipeline::new(model)?,
            Some(_) => Pipeline::without_spotter(model)?,
        };
        let manifest = model.manifest();
        Ok(Self {
            pipeline,
            trigger,
            block: vec![0.0; SAMPLE_RATE as usize],
            tape: None,
            wake_word: manifest.wake_word.clone(),
            model: manifest.id(),
        })
    }

    /// Also gives the audio that `policy` keeps around the activations.
    pub fn with_excerpts(mut self, policy: Option<&Policy>) -> Self {
        self.tape = policy.map(Tape::new);
        self
    }

    /// Streams the recording at `path` through the pipeline.
    pub fn score(&mut self, path: &Path) -> Result<Scored> {
        self.pipeline.reset()?;
        if let Some(tape) = &mut self.tape {
            tape.restart(0);
        }
        if let Some(sample) = self.trigger {
            self.pipeline.judge_at(sample)?;
        }
        let mut source = FileSource::open(path)?;
        let mut activations = Vec::new();
        let mut excerpts = Vec::new();
        let mut taken = 0;
        loop {
            let count = source.read(&mut self.block)?;
            if count == 0 {
                break;
            }
            if let Some(tape) = &mut self.tape {
                tape.push(&self.block[..count], &mut |heard, audio| excerpts.push((heard, audio)));
            }
            self.pipeline.push(&self.block[..count], &mut |a| activations.push(a))?;
            self.take(&activations[taken..], &mut excerpts);
            taken = activations.len();
        }
        let samples = self.pipeline.samples();
        if samples == 0 {
            return Err(Error::new(ErrorKind::Audio, "nothing to score")
                .expected("at least one sample")
                .found("none"));
        }
        if let Some(trigger) = self.trigger.filter(|&trigger| trigger > samples) {
            let at = |samples: u64| super::record::seconds(samples);
            return Err(Error::new(ErrorKind::Settings, "the trigger lies behind the audio")
                .expected(format!("a moment up to {} s", at(samples)))
                .found(format!("{} s", at(trigger))));
        }
        self.pipeline.finish(&mut |a| activations.push(a))?;
        self.take(&activations[taken..], &mut excerpts);
        if let Some(tape) = &mut self.tape {
            tape.finish(&mut |heard, audio| excerpts.push((heard, audio)));
        }
        let highest = self.pipeline.highest_moment()?.map(|(verification, _)| verification);
        let warnings = source.warnings().to_vec();
        Ok(Scored { samples, activations, highest, warnings, excerpts })
    }

    /// Hands activations to the tape; those that were not intended leave it without audio.
    fn take(&mut self, activations: &[Activation], excerpts: &mut Vec<(Heard, LiveAudio)>) {
        let Some(tape) = &mut self.tape else { return };
        for &activation in activations {
            let heard =
                Heard { wake_word: self.wake_word.clone(), model: self.model.clone(), activation };
            tape.take(heard, &mut |heard, audio| excerpts.push((heard, audio)));
        }
    }
}
