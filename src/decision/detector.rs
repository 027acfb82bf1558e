//! From the spotter's posteriors to candidates.

use crate::{Error, ErrorKind, Result};

/// When a run of posteriors becomes a candidate. All times are in samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectorSettings {
    /// Posterior from which a step counts.
    pub threshold: f32,
    /// Consecutive counting steps that trigger.
    pub patience_steps: u32,
    /// How long after the trigger a higher step may still take the candidate over.
    pub peak_search_samples: u64,
    /// Least distance between the peaks of two candidates.
    pub refractory_samples: u64,
}

/// A moment where the wake word may have been said, as the spotter proposes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// End of the highest step, in samples from the start of the stream.
    pub peak_sample: u64,
    /// The posterior there.
    pub peak: f32,
    /// End of the step that completed the search.
    pub found_sample: u64,
}

/// Turns one posterior after another into candidates.
///
/// `patience_steps` consecutive steps at or above the threshold trigger; the candidate is the
/// highest step from the first of them to `peak_search_samples` after the last, the earliest
/// where several are equal. Steps closer than the refractory time to the last peak don't count.
#[derive(Debug, Clone)]
pub struct Detector {
    settings: DetectorSettings,
    run: u32,
    best: Option<(u64, f32)>,
    /// Where the search that a trigger opened ends.
    search_end: Option<u64>,
    last_peak: Option<u64>,
    last_step: Option<u64>,
}

impl Detector {
    /// A detector at the start of a stream.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a threshold outside 0 to 1, or no patience or refractory
    /// time at all.
    pub fn new(settings: DetectorSettings) -> Result<Self> {
        let fits = settings.threshold > 0.0
            && settings.threshold < 1.0
            && settings.patience_steps > 0
            && settings.refractory_samples > 0;
        if !fits {
            return Err(Error::new(ErrorKind::Settings, "the detector settings are refused")
                .expected("a threshold between 0 and 1, patience and refractory of at least 1")
                .found(format!("{settings:?}")));
        }
        Ok(Self {
            settings,
            run: 0,
            best: None,
            search_end: None,
            last_peak: None,
            last_step: None,
        })
    }

    /// Takes the posterior of the step that ends at `step_end` samples and gives the
    /// candidate whose search it completes, if any.
    ///
    /// # Errors
    /// [`ErrorKind::Posterior`] for a posterior that is not a number from 0 to 1, or a step
    /// that does not end after the one before; the detector is then as before the call.
    pub fn push(&mut self, step_end: u64, posterior: f32) -> Result<Option<Candidate>> {
        if !(0.0..=1.0).contains(&posterior) {
            return Err(Error::new(ErrorKind::Posterior, "the spotter's posterior is refused")
                .expected("a number from 0 to 1")
                .found(posterior.to_string()));
        }
        if self.last_step.is_some_and(|last| step_end <= last) {
            return Err(Error::new(ErrorKind::Posterior, "a spotter step is out of order")
                .expected(format!("an end after sample {}", self.last_step.unwrap_or(0)))
                .found(step_end.to_string()));
        }
        self.last_step = Some(step_end);
        if self.search_end.is_none() {
            self.wait(step_end, posterior);
        } else {
            self.raise(step_end, posterior);
        }
        Ok(self.complete(step_end))
    }

    /// Whether a search is open, so that more steps are needed before its candidate is known.
    pub fn is_searching(&self) -> bool {
        self.search_end.is_some()
    }

    /// Forgets the stream: the next step is the first of a new one.
    pub fn reset(&mut self) {
        self.run = 0;
        self.best = None;
        self.search_end = None;
        self.last_peak = None;
        self.last_step = None;
    }

    /// Counts towards the patience and opens the search when it is reached.
    fn wait(&mut self, step_end: u64, posterior: f32) {
        let rested =
            self.last_peak.is_none_or(|peak| step_end - peak >= self.settings.refractory_samples);
        if !rested || posterior < self.settings.threshold {
            self.run = 0;
            self.best = None;
            return;
        }
        self.run += 1;
        self.raise(step_end, posterior);
        if self.run >= self.settings.patience_steps {
            self.search_end = Some(step_end + self.settings.peak_search_samples);
        }
    }

    fn raise(&mut self, step_end: u64, posterior: f32) {
        let within = self.search_end.is_none_or(|end| step_end <= end);
        if within && self.best.is_none_or(|(_, best)| posterior > best) {
            self.best = Some((step_end, posterior));
        }
    }

    /// Closes the search if no step within it can follow.
    fn complete(&mut self, step_end: u64) -> Option<Candidate> {
        if step_end < self.search_end? {
            return None;
        }
        let (peak_sample, peak) = self.best.take()?;
        self.search_end = None;
        self.run = 0;
        self.last_peak = Some(peak_sample);
        Some(Candidate { peak_sample, peak, found_sample: step_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 1280;

    fn settings() -> DetectorSettings {
        DetectorSettings {
            threshold: 0.5,
            patience_steps: 2,
            peak_search_samples: 3 * STEP,
            refractory_samples: 10 * STEP,
        }
    }

    fn candidates(settings: DetectorSettings, posteriors: &[f32]) -> Vec<Candidate> {
        let mut detector = Detector::new(settings).unwrap();
        let mut end = 0;
        posteriors
            .iter()
            .filter_map(|&p| {
                end += STEP;
                detector.push(end, p).unwrap()
            })
            .collect()
    }

    #[test]
    fn the_anchor_is_the_highest_step_within_the_search() {
        let found = candidates(settings(), &[0.1, 0.6, 0.7, 0.9, 0.8, 0.95, 0.99, 0.1]);
        let peak = Candidate { peak_sample: 6 * STEP, peak: 0.95, found_sample: 6 * STEP };
        assert_eq!(found, [peak], "the step after the search is not part of it");
    }

    #[test]
    fn one_step_short_of_patience_is_no_candidate() {
        assert_eq!(candidates(settings(), &[0.9, 0.1, 0.9, 0.1, 0.9]), []);
    }

    #[test]
    fn equal_peaks_give_the_earliest() {
        let found = candidates(settings(), &[0.9; 6]);
        assert_eq!(found[0].peak_sample, STEP);
    }

    #[test]
    fn without_a_search_the_trigger_completes_it() {
        let settings = DetectorSettings { peak_search_samples: 0, ..settings() };
        let found = candidates(settings, &[0.6, 0.7]);
        assert_eq!(found[0].found_sample, 2 * STEP);
        assert_eq!(found[0].peak, 0.7);
    }

    #[test]
    fn a_posterior_that_is_no_probability_is_an_error() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.01, 1.01] {
            let mut detector = Detector::new(settings()).unwrap();
            assert_eq!(detector.push(STEP, bad).unwrap_err().kind(), ErrorKind::Posterior);
        }
    }

    #[test]
    fn steps_must_go_forward() {
        let mut detector = Detector::new(settings()).unwrap();
        detector.push(STEP, 0.1).unwrap();
        assert!(detector.push(STEP, 0.1).is_err());
        detector.reset();
        assert!(detector.push(STEP, 0.1).is_ok());
    }
}
