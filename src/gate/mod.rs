//! The one door between the audio that a device hears and a person who reviews clips.
//!
//! ```text
//! samples -> Tape -> (activation, audio around it) -> Gate::admit -> IntendedClip -> review
//!                                                          |
//!                                                          +-> wiped, and counted by reason
//! ```
//!
//! [`IntendedClip`] has no public constructor and [`crate::review`] accepts nothing else, so
//! that the compiler holds the rule: what was not judged intended can't be stored. Audio lives
//! in [`AudioBuffer`]s, which wipe themselves and stay out of swap where the system allows it.
//! Nothing here touches a disk, a log or a network.

mod buffer;
mod clip;
mod clock;
mod harden;
mod policy;
mod stop;
mod tape;

use std::sync::Arc;

pub use buffer::{AudioBuffer, Guarded};
pub use clip::{Heard, IntendedClip, LiveAudio};
pub use clock::{Clock, Moment, SystemClock};
pub use harden::{Hardening, Locked, harden};
#[cfg(feature = "review")]
pub(crate) use policy::in_range;
pub use policy::{Policy, QuietHours};
pub use stop::{Counters, Stop};
pub use tape::Tape;

use crate::Result;
use crate::audio::samples_in;
use crate::decision::Verdict;
use crate::pipeline::Activation;

/// What the gate has to know of the queue, at the moment of the decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Whether a consent is recorded and not revoked.
    pub consented: bool,
    /// Clips stored on this local day.
    pub stored_today: u32,
    /// Free bytes on the queue's file system; `None` where that is unknown: nothing is kept.
    pub free_bytes: Option<u64>,
    /// The threshold of the certificate in force, if there is one.
    pub certified_at: Option<f32>,
}

/// Where a share is drawn from: uniform numbers in 0 to 1, 1 not included.
pub type Draw = Box<dyn FnMut() -> f64 + Send>;

/// Uniform numbers from the operating system. Where it has none, 1: nothing is drawn.
pub fn system_draw() -> Draw {
    Box::new(|| match getrandom::u64() {
        Ok(bits) => (bits >> 11) as f64 / (1_u64 << 53) as f64,
        Err(_) => 1.0,
    })
}

/// Decides which audio may be kept, and wipes the rest.
pub struct Gate {
    policy: Policy,
    draw: Draw,
    counters: Arc<Counters>,
}

impl Gate {
    /// A gate under `policy`; `draw` gives the numbers that the sampling rate is held against.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`](crate::ErrorKind::Settings) for a value out of its range.
    pub fn new(policy: Policy, draw: Draw) -> Result<Self> {
        policy.validate()?;
        Ok(Self { policy, draw, counters: Arc::default() })
    }

    /// How often it let through and stopped.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Makes a clip of an activation that was judged intended and that the policy allows, cut
    /// to the word and what the policy keeps around it. Anything else is wiped and counted.
    ///
    /// # Errors
    /// Why it was stopped; the audio no longer exists then.
    pub fn admit(
        &mut self,
        heard: Heard,
        audio: LiveAudio,
        state: &State,
        now: Moment,
    ) -> std::result::Result<IntendedClip, Stop> {
        // `audio` is dropped, and with that wiped, on every way out of this function.
        let admitted = self
            .allowed(&heard, state, &now)
            .and_then(|()| cut(&heard, &audio, &self.policy))
            .map(|(kept, word)| IntendedClip::new(heard, kept, word));
        match &admitted {
            Ok(_) => self.counters.count_admitted(),
            Err(stop) => self.counters.count_stop(*stop),
        }
        admitted
    }

    fn allowed(
        &mut self,
        heard: &Heard,
        state: &State,
        now: &Moment,
    ) -> std::result::Result<(), Stop> {
        intended(&heard.activation)?;
        let policy = &self.policy;
        let p_intended = heard.activation.posteriors.intended();
        let threshold = policy.min_p_intended.max(state.certified_at.unwrap_or(0.0));
        let free = state.free_bytes.is_some_and(|free| free >= policy.min_free_bytes);
        for (stops, stop) in [
            (!policy.enabled, Stop::Disabled),
            (!state.consented, Stop::NoConsent),
            (p_intended < threshold, Stop::BelowThreshold),
            (policy.is_quiet(now), Stop::QuietHours),
            (state.stored_today >= policy.daily_cap, Stop::DailyCap),
            (!free, Stop::LowDisk),
        ] {
            if stops {
                return Err(stop);
            }
        }
        // Only a number below the rate is drawn: one that is not a number is not.
        let drawn = (self.draw)() < policy.sampling_rate;
        if drawn { Ok(()) } else { Err(Stop::NotSampled) }
    }
}

/// The stop of an activation that was not judged intended.
///
/// # Errors
/// Why its audio may not be kept.
pub fn intended(activation: &Activation) -> std::result::Result<(), Stop> {
    match activation.verdict {
        Verdict::Intended => Ok(()),
        Verdict::Accidental => Err(Stop::accidental(activation.reason)),
        Verdict::Unsure => Err(Stop::Unsure),
    }
}

/// What the policy keeps of `audio`, and where the word lies in it.
fn cut(
    heard: &Heard,
    audio: &LiveAudio,
    policy: &Policy,
) -> std::result::Result<(AudioBuffer, std::ops::Range<usize>), Stop> {
    let samples = audio.buffer.samples();
    let (start, end) = (heard.activation.start_sample, heard.activation.end_sample);
    let last = audio.first_sample.saturating_add(samples.len() as u64);
    if start < audio.first_sample || end > last || start >= end {
        return Err(Stop::NoAudio);
    }
    let first = start.saturating_sub(samples_in(policy.before_s)).max(audio.first_sample);
    let stop = end.saturating_add(samples_in(policy.after_s)).min(last);
    let at = |sample: u64| (sample - audio.first_sample) as usize;
    let kept = &samples[at(first)..at(stop)];
    if !kept.iter().all(|sample| sample.is_finite()) {
        return Err(Stop::NoAudio);
    }
    let word = (start - first) as usize..(end - first) as usize;
    Ok((AudioBuffer::copy_of(kept), word))
}
