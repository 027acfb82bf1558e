//! One recording through the pipeline.

use std::time::{Duration, Instant};

use crate::corpus::{About, Choice, MOST_SECONDS, Recording, Settings};
use crate::decode::FileSource;
use wakegate::audio::{Channel, SAMPLE_RATE, Source, Warning, samples_in, seconds};
use wakegate::gate::{Heard, LiveAudio, Policy, Stop};
use wakegate::model::{Model, Verification};
use wakegate::pipeline::{Activation, Decision, Part, Pipeline, SharedVerifier};
use wakegate::stream::{ClipSink, Stream, WakeWord};
use wakegate::{Error, ErrorKind, Result};

/// What the pipeline says about one recording.
pub struct Scored {
    /// Length in samples at 16 kHz.
    pub samples: u64,
    /// Its activations, in the order of their decisions.
    pub activations: Vec<Activation>,
    /// Without an activation: the verification at the spotter's highest moment.
    pub highest: Option<Verification>,
    /// The channel that was judged, from 1, where one was chosen.
    pub channel: Option<usize>,
    /// What decoded it, where that was another program.
    pub decoder: Option<&'static str>,
    /// What the decoder found odd.
    pub warnings: Vec<Warning>,
    /// For the gate, where there is one.
    pub excerpts: Option<Excerpts>,
    /// Where the time went.
    pub spent: Spent,
}

/// What a recording has for the gate.
pub struct Excerpts {
    policy: Policy,
    /// The activations that were judged intended, with the audio around them.
    pub clips: Vec<(Heard, LiveAudio)>,
    /// Why each of the others has none.
    pub stops: Vec<Stop>,
}

impl Excerpts {
    /// None yet; of each word as much as `policy` keeps.
    pub fn new(policy: &Policy) -> Self {
        Self { policy: policy.clone(), clips: Vec::new(), stops: Vec::new() }
    }

    /// What came since the last time.
    pub fn take_all(&mut self) -> Self {
        std::mem::replace(self, Self::new(&self.policy.clone()))
    }
}

impl ClipSink for Excerpts {
    fn policy(&self) -> &Policy {
        &self.policy
    }

    fn take(&mut self, heard: Heard, audio: LiveAudio) {
        self.clips.push((heard, audio));
    }

    fn count(&mut self, stop: Stop) {
        self.stops.push(stop);
    }
}

/// Where a thread's time went.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Bytes to samples, reading them included.
    pub decode: Duration,
    /// Samples to 16 kHz.
    pub resample: Duration,
    /// Samples to frames, and the candidates between the networks.
    pub frontend: Duration,
    /// The spotter's network.
    pub spotter: Duration,
    /// The verifier's network.
    pub verifier: Duration,
}

/// Gives each part of the pipeline's work its time.
struct Stopwatch {
    spent: Spent,
    part: Part,
    since: Instant,
}

impl Stopwatch {
    fn new() -> Self {
        Self { spent: Spent::default(), part: Part::FrontEnd, since: Instant::now() }
    }

    /// Work begins that the pipeline does not mark.
    fn start(&mut self, part: Part) {
        (self.part, self.since) = (part, Instant::now());
    }

    /// The work goes over to another part.
    fn mark(&mut self, next: Part) {
        let now = Instant::now();
        let time = now - self.since;
        match self.part {
            Part::FrontEnd | Part::Decision => self.spent.frontend += time,
            Part::Spotter => self.spent.spotter += time,
            Part::Verifier => self.spent.verifier += time,
        }
        (self.part, self.since) = (next, now);
    }
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

impl Scored {
    /// How much speaks for the wake word: of the best activation, or else of the highest moment.
    fn height(&self) -> (bool, f32) {
        let best = self.best().map(|best| (true, best.posteriors.intended()));
        let highest = || self.highest.map(|highest| (false, highest.posteriors.intended()));
        best.or_else(highest).unwrap_or((false, 0.0))
    }

    fn is_below(&self, other: &Self) -> bool {
        self.height() < other.height()
    }

    /// The same with the time that another took.
    fn spending(mut self, other: &Spent) -> Self {
        self.spent.decode += other.decode;
        self.spent.resample += other.resample;
        self.spent.frontend += other.frontend;
        self.spent.spotter += other.spotter;
        self.spent.verifier += other.verifier;
        self
    }
}

/// Scores recordings, one after the other, with the same networks.
pub struct Scorer {
    model: Model,
    verifier: SharedVerifier,
    /// With the spotter's candidates, and with those of another engine; each is made when it is
    /// first needed.
    spotting: Option<Stream<Excerpts>>,
    triggered: Option<Stream<Excerpts>>,
    block: Vec<f32>,
    policy: Option<Policy>,
}

impl Scorer {
    /// Loads the networks: also the spotter, where the recordings `need_spotter`.
    ///
    /// # Errors
    /// As [`Pipeline::new`].
    pub fn new(model: &Model, need_spotter: bool) -> Result<Self> {
        let verifier = SharedVerifier::load(model)?;
        let mut scorer = Self {
            model: model.clone(),
            verifier,
            spotting: None,
            triggered: None,
            block: vec![0.0; SAMPLE_RATE as usize],
            policy: None,
        };
        if need_spotter {
            scorer.spotting = Some(scorer.stream(true)?);
        }
        Ok(scorer)
    }

    /// Also gives the audio that `policy` keeps around the activations.
    pub fn with_excerpts(mut self, policy: Option<&Policy>) -> Self {
        self.policy = policy.cloned();
        for stream in [&mut self.spotting, &mut self.triggered].into_iter().flatten() {
            stream.keep(policy.map(Excerpts::new));
        }
        self
    }

    /// Scores the recording of a corpus. With a trigger, its own or else `trigger_s` in seconds,
    /// the candidate is the word that ended there by another engine's account.
    ///
    /// # Errors
    /// Why there is no audio or it can't be opened, [`ErrorKind::Settings`] for a trigger that is
    /// no moment of the recording, and as [`score`](Self::score).
    pub fn score_recording(
        &mut self,
        about: &About,
        audio: Result<Recording>,
        settings: &Settings,
        trigger_s: Option<f64>,
    ) -> Result<Scored> {
        let trigger = about.trigger_s.or(trigger_s).map(trigger_sample).transpose()?;
        let channel = match about.channel.unwrap_or(settings.channel) {
            Choice::Channel(channel) => channel,
            Choice::Each => return self.score_each(about, audio?, settings, trigger),
        };
        let start = Instant::now();
        let source = audio?.open(&about.path, settings)?;
        self.score_channel(source, channel, trigger, start)
    }

    /// Scores the channels of a recording one after the other, and gives the one with the best
    /// activation; where none has any, that with the highest moment.
    fn score_each(
        &mut self,
        about: &About,
        audio: Recording,
        settings: &Settings,
        trigger: Option<u64>,
    ) -> Result<Scored> {
        let audio = audio.repeated(&about.path, settings)?;
        let channels = audio.again()?.open(&about.path, settings)?.wait_for_channels()?;
        let mut best: Option<Scored> = None;
        for channel in 1..=channels {
            let start = Instant::now();
            let source = audio.again()?.open(&about.path, settings)?;
            let scored = self.score_channel(source, Channel::One(channel), trigger, start)?;
            best = match best {
                Some(before) if !before.is_below(&scored) => Some(before.spending(&scored.spent)),
                Some(before) => Some(scored.spending(&before.spent)),
                None => Some(scored),
            };
        }
        best.ok_or_else(|| Error::new(ErrorKind::Audio, "nothing to score"))
    }

    fn score_channel(
        &mut self,
        source: FileSource,
        channel: Channel,
        trigger: Option<u64>,
        start: Instant,
    ) -> Result<Scored> {
        let mut source = source.of_channel(channel)?;
        let (opening, decoder) = (start.elapsed(), source.decoder());
        let mut scored = self.score(&mut source, trigger)?;
        scored.spent.decode += opening;
        scored.decoder = decoder;
        scored.channel = match channel {
            Channel::Mix => None,
            Channel::One(number) => Some(number),
        };
        Ok(scored)
    }

    /// Streams the recording through the pipeline. With `trigger`, the candidate is the word that
    /// ended at that sample of the 16 kHz stream; without it, candidates are the spotter's.
    ///
    /// # Errors
    /// The source's own, [`ErrorKind::Audio`] where it holds no sample,
    /// [`ErrorKind::Settings`] for a trigger behind its end, and those of [`Pipeline::push`].
    pub fn score(&mut self, source: &mut dyn Source, trigger: Option<u64>) -> Result<Scored> {
        let spotting = trigger.is_none();
        let place = if spotting { &mut self.spotting } else { &mut self.triggered };
        let mut stream = match place.take() {
            Some(stream) => stream,
            None => self.stream(spotting)?,
        };
        let result = self.run(&mut stream, source, trigger);
        let place = if spotting { &mut self.spotting } else { &mut self.triggered };
        *place = Some(stream);
        result
    }

    fn stream(&self, spotting: bool) -> Result<Stream<Excerpts>> {
        let pipeline = Pipeline::with_verifier(&self.model, &self.verifier, spotting)?;
        let manifest = self.model.manifest();
        let word = WakeWord::new(&manifest.wake_word, &manifest.id(), pipeline);
        let mut stream = Stream::new(vec![word]);
        stream.keep(self.policy.as_ref().map(Excerpts::new));
        Ok(stream)
    }

    fn run(
        &mut self,
        stream: &mut Stream<Excerpts>,
        source: &mut dyn Source,
        trigger: Option<u64>,
    ) -> Result<Scored> {
        stream.restart(0)?;
        // What a recording left that failed on the way.
        stream.sink_mut().map(Excerpts::take_all);
        if let Some(sample) = trigger {
            stream.judge_at(0, sample)?;
        }
        let mut watch = Stopwatch::new();
        let mut activations = Vec::new();
        let mut keep = |_, decision: Decision| {
            activations.extend(decision.verdict());
            true
        };
        let mut reading = Duration::ZERO;
        loop {
            let start = Instant::now();
            let count = source.read(&mut self.block)?;
            reading += start.elapsed();
            if count == 0 {
                break;
            }
            watch.start(Part::FrontEnd);
            stream.push_marked(&self.block[..count], &mut keep, &mut |part| watch.mark(part))?;
            watch.mark(Part::Decision);
        }
        let samples = stream.position();
        if samples == 0 {
            return Err(Error::new(ErrorKind::Audio, "nothing to score")
                .expected("at least one sample")
                .found("none"));
        }
        if let Some(trigger) = trigger.filter(|&trigger| trigger > samples) {
            return Err(Error::new(ErrorKind::Settings, "the trigger lies behind the audio")
                .expected(format!("a moment up to {} s", seconds(samples)))
                .found(format!("{} s", seconds(trigger))));
        }
        watch.start(Part::FrontEnd);
        stream.finish_marked(&mut keep, &mut |part| watch.mark(part))?;
        watch.start(Part::Verifier);
        let highest = stream.highest_moment(0)?.map(|(verification, _)| verification);
        watch.mark(Part::Decision);
        let excerpts = stream.sink_mut().map(Excerpts::take_all);
        let warnings = source.warnings().to_vec();
        let resample = source.resampling();
        let decode = reading.saturating_sub(resample);
        let spent = Spent { decode, resample, ..watch.spent };
        let (channel, decoder) = (None, None);
        Ok(Scored { samples, activations, highest, channel, decoder, warnings, excerpts, spent })
    }
}

/// The sample of the 16 kHz stream at `seconds` of a recording.
///
/// # Errors
/// [`ErrorKind::Settings`] for what is no moment: below 0, beyond [`MOST_SECONDS`], no number.
pub fn trigger_sample(seconds: f64) -> Result<u64> {
    if (0.0..=MOST_SECONDS).contains(&seconds) {
        return Ok(samples_in(seconds));
    }
    Err(Error::new(ErrorKind::Settings, "the trigger is refused")
        .expected("seconds from the start of the recording, 0 or more")
        .found(seconds.to_string()))
}
