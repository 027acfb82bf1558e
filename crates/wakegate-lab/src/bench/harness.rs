//! The measurement: blocks of a device through the daemon's own parts, with a time for each.

use std::sync::Barrier;

use super::delay::{Judged, Matcher};
use super::measured::{Measured, RunSamples};
use super::paced_device::Device;
use super::stage_timer::{Cost, StageTimer, Stopwatch};
use super::{Meter, Plan, Series, Stage, Workload};
use wakegate::audio::ring::{Channel, ring};
use wakegate::audio::{Resampler, SAMPLE_RATE};
use wakegate::gate::{Heard, Policy, Tape};
use wakegate::model::Model;
use wakegate::pipeline::{Activation, Decision, Pipeline};
use wakegate::{Error, ErrorKind, Result};

/// A hop of the table in ms: one step of the spotter.
pub const HOP_MS: u64 = 80;
/// How often the device brings a block, in ms: as often as the judging thread looks for one.
pub const WAKE_UP_MS: u64 = 20;
/// Blocks that a measurement is cut into; see [`Series`].
const BLOCKS: u64 = 32;
/// Samples at 16 kHz in what a wake-up brings.
pub(super) const BLOCK: usize = SAMPLE_RATE as usize / 1_000 * WAKE_UP_MS as usize;
/// The longest time from a word's end to its verdict, in samples: the window's second after the
/// word, and what the spotter needs to find it.
const LONGEST_WAIT: u64 = 2 * SAMPLE_RATE as u64;
/// Most streams at once.
const MOST_STREAMS: usize = 256;
/// Verdicts that are kept for the percentiles of the delay.
const MOST_VERDICTS: usize = 100_000;

/// Measures `model` on `workload` as `plan` says. `begun` is called when the warm-up is over.
///
/// # Errors
/// [`ErrorKind::Settings`] for a plan out of range, and what the pipeline gives.
pub fn run(
    model: &Model,
    workload: &Workload,
    plan: &Plan,
    meter: &impl Meter,
    begun: &mut dyn FnMut(),
) -> Result<Measured> {
    plan.validate()?;
    let mut bench = Bench::new(model, workload, plan, meter)?;
    bench.listen((plan.warmup_s * 1e9) as u64)?;
    begun();
    bench.begin();
    bench.listen((plan.seconds * 1e9) as u64)?;
    Ok(bench.taken().measured())
}

/// Refuses a number of streams that can't run at once.
///
/// # Errors
/// [`ErrorKind::Settings`] for none, and for more than 256.
pub fn check_streams(streams: usize) -> Result<()> {
    if (1..=MOST_STREAMS).contains(&streams) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Settings, "--threads is refused")
        .expected(format!("1 to {MOST_STREAMS}"))
        .found(streams.to_string()))
}

/// Measures `streams` streams at once, each through parts and networks of its own on a thread of
/// its own. Nobody is measured before all are warm. `begun` is called on each thread then, and
/// what it gives is taken back, by `ended`, when that thread is done.
///
/// # Errors
/// As [`run`], and [`ErrorKind::Settings`] for no stream or more than 256.
pub fn run_streams<W, E: Send>(
    model: &Model,
    workload: &Workload,
    (plan, streams): (&Plan, usize),
    meter: &(impl Meter + Sync),
    begun: &(impl Fn() -> W + Sync),
    ended: &(impl Fn(W) -> E + Sync),
) -> Result<(Measured, Vec<E>)> {
    plan.validate()?;
    check_streams(streams)?;
    let all_warm = Barrier::new(streams);
    let one = || -> Result<(RunSamples, E)> {
        let warmed = Bench::new(model, workload, plan, meter).and_then(|mut bench| {
            bench.listen((plan.warmup_s * 1e9) as u64)?;
            Ok(bench)
        });
        // Also where it failed: the others wait.
        all_warm.wait();
        let mut bench = warmed?;
        let watch = begun();
        bench.begin();
        bench.listen((plan.seconds * 1e9) as u64)?;
        Ok((bench.taken(), ended(watch)))
    };
    let results: Vec<Result<(RunSamples, E)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..streams).map(|_| scope.spawn(one)).collect();
        // The first stream is this thread's: alone, it is as without threads.
        let first = one();
        let lost = |_| Err(Error::new(ErrorKind::Runtime, "a stream's thread ended too early"));
        let others = threads.into_iter().map(|thread| thread.join().unwrap_or_else(lost));
        std::iter::once(first).chain(others).collect()
    });
    let (mut together, mut said): (Option<RunSamples>, Vec<E>) = (None, Vec::new());
    for result in results {
        let (taken, word) = result?;
        said.push(word);
        match &mut together {
            Some(all) => all.join(taken)?,
            None => together = Some(taken),
        }
    }
    let lost = || Error::new(ErrorKind::Runtime, "no stream was measured");
    Ok((together.ok_or_else(lost)?.measured(), said))
}

/// The daemon's parts in a row, and the series that they fill.
struct Bench<'w, M> {
    device: Device<'w>,
    chain: Chain<'w>,
    pace: bool,
    meter: &'w M,
    series: Vec<Series>,
    /// Costs of the hop that is not complete yet.
    hop: [Cost; 4],
    wake_ups: u64,
    begun_ns: u64,
    begun_cpu: Option<u64>,
    begun_blocks: u64,
    end_ns: u64,
    end_cpu: Option<u64>,
}

/// Places of a hop's sums.
const RING: usize = 0;
const RESAMPLE: usize = 1;
const GATE: usize = 2;
const WHOLE: usize = 3;

impl<'w, M: Meter> Bench<'w, M> {
    fn new(model: &Model, workload: &'w Workload, plan: &Plan, meter: &'w M) -> Result<Self> {
        let series = Stage::ALL.into_iter().map(|stage| Series::new(stage, BLOCKS as usize));
        Ok(Self {
            device: Device::new(workload, plan.rate),
            chain: Chain::new(model, workload, plan.rate)?,
            pace: plan.pace,
            meter,
            series: series.collect::<Result<_>>()?,
            hop: [Cost::default(); 4],
            wake_ups: 0,
            begun_ns: 0,
            begun_cpu: None,
            begun_blocks: 0,
            end_ns: 0,
            end_cpu: None,
        })
    }

    /// The warm-up is over.
    fn begin(&mut self) {
        self.series.iter_mut().for_each(Series::clear);
        self.hop = [Cost::default(); 4];
        self.wake_ups = 0;
        self.begun_blocks = self.device.blocks;
        self.chain.words.begin(self.device.recorded());
        self.chain.judged = 0;
        self.begun_cpu = self.meter.cpu_ns();
        self.begun_ns = self.meter.now();
    }

    /// Takes blocks for `ns` nanoseconds, by the clock or, paced, of audio.
    fn listen(&mut self, ns: u64) -> Result<()> {
        let start = self.meter.now();
        let first = self.device.blocks;
        let mut block_ends = (1..=BLOCKS).map(|block| ns * block / BLOCKS).peekable();
        loop {
            let heard = self.device.blocks - first;
            let due = start + heard * WAKE_UP_MS * 1_000_000;
            let passed = if self.pace { due - start } else { self.meter.now() - start };
            while block_ends.next_if(|&end| passed >= end).is_some() {
                self.series.iter_mut().for_each(Series::end_block);
            }
            if passed >= ns {
                break;
            }
            let lateness = if self.pace {
                // The block's last sample is recorded 20 ms after its first.
                let there = due + WAKE_UP_MS * 1_000_000;
                self.meter.wait_until(there);
                self.meter.now() - there
            } else {
                0
            };
            self.wake_up(lateness)?;
        }
        (self.end_ns, self.end_cpu) = (self.meter.now(), self.meter.cpu_ns());
        Ok(())
    }

    /// One block through everything.
    fn wake_up(&mut self, lateness_ns: u64) -> Result<()> {
        let series = &mut self.series;
        let mut done = |stage: Stage, cost: Cost| {
            if let Some(series) = series.get_mut(stage as usize) {
                series.record(cost.ns, cost.allocations);
            }
        };
        if self.pace {
            done(Stage::Lateness, Cost { ns: lateness_ns, allocations: 0 });
        }
        self.device.record();
        let (block, recorded) = (&self.device.block, self.device.recorded());
        let costs = self.chain.take(block, recorded, lateness_ns, self.meter, &mut done)?;
        self.hop.iter_mut().zip(costs).for_each(|(sum, cost)| sum.add(cost));
        self.wake_ups += 1;
        if self.wake_ups.is_multiple_of(HOP_MS / WAKE_UP_MS) {
            for (place, stage) in [
                (RING, Stage::Ring),
                (RESAMPLE, Stage::Resample),
                (GATE, Stage::Gate),
                (WHOLE, Stage::Hop),
            ] {
                done(stage, std::mem::take(&mut self.hop[place]));
            }
        }
        Ok(())
    }

    fn taken(self) -> RunSamples {
        let blocks = self.device.blocks - self.begun_blocks;
        RunSamples {
            counted: self.meter.allocations().is_some(),
            delays: self.chain.words.delays(self.device.recorded(), LONGEST_WAIT),
            candidates: self.chain.judged,
            audio_s: blocks as f64 * WAKE_UP_MS as f64 / 1e3,
            wall_s: (self.end_ns - self.begun_ns) as f64 / 1e9,
            cpu_s: self.end_cpu.zip(self.begun_cpu).map(|(end, begun)| (end - begun) as f64 / 1e9),
            series: self.series,
        }
    }
}

/// Ring, resampler, tape and pipeline, as the daemon has them behind a device.
struct Chain<'w> {
    writer: wakegate::audio::ring::Writer,
    reader: wakegate::audio::ring::Reader,
    /// From the device's integers to ±1, with what the zeros in between took.
    scale: f32,
    resampler: Resampler,
    tape: Tape,
    pipeline: Pipeline,
    laps: StageTimer,
    raw: Vec<f32>,
    mono: Vec<f32>,
    found: Vec<Judged>,
    settled: Vec<Activation>,
    words: Matcher<'w>,
    /// Candidates judged since the warm-up: each may cost several runs of the verifier.
    judged: u64,
    /// Words that were proposed so far.
    proposed: u64,
    is_proposed: bool,
    wake_word: String,
    model: String,
}

impl<'w> Chain<'w> {
    fn new(model: &Model, workload: &'w Workload, rate: u32) -> Result<Self> {
        let (writer, reader) = ring(rate as usize, 1, Channel::Mix)?;
        let factor = (rate / SAMPLE_RATE) as f32;
        Ok(Self {
            writer,
            reader,
            scale: factor / 32_768.0,
            resampler: Resampler::new(rate)?,
            tape: Tape::new(&Policy::default()),
            pipeline: Pipeline::new(model)?,
            laps: StageTimer::default(),
            raw: Vec::with_capacity(BLOCK * factor as usize),
            mono: Vec::with_capacity(16 * BLOCK),
            found: Vec::with_capacity(16),
            settled: Vec::with_capacity(16),
            words: Matcher::new(workload, MOST_VERDICTS),
            judged: 0,
            proposed: 0,
            is_proposed: workload.is_proposed(),
            wake_word: model.manifest().wake_word.clone(),
            model: model.manifest().id(),
        })
    }

    /// Takes a block, whose end the device recorded as sample `recorded` of 16 kHz, `lateness`
    /// nanoseconds ago. Gives what it cost; the pipeline's parts go to `done`.
    fn take<M: Meter>(
        &mut self,
        block: &[i16],
        recorded: u64,
        lateness: u64,
        meter: &M,
        done: &mut impl FnMut(Stage, Cost),
    ) -> Result<[Cost; 4]> {
        let start = meter.now();
        let mut watch = Stopwatch::start(meter);
        let scale = self.scale;
        self.writer.push(block, |sample| f32::from(sample) * scale);
        let there = self.reader.pop(&mut self.raw).is_some();
        let ring = watch.lap();
        if !there {
            return Err(Error::new(ErrorKind::Audio, "a block was lost in the ring"));
        }
        self.mono.clear();
        self.resampler.push(&self.raw, &mut self.mono)?;
        let resample = watch.lap();
        self.tape.push(&self.mono, &mut |_, audio| drop(audio));
        let mut gate = watch.lap();
        let mut pipeline = Cost::default();
        let (laps, found, settled) = (&mut self.laps, &mut self.found, &mut self.settled);
        let result = self.pipeline.push_marked(
            &self.mono,
            &mut |decision| {
                let activation = match decision {
                    Decision::Verdict(activation) => activation,
                    Decision::Settled(activation) => return settled.push(activation),
                    Decision::Word(_) => return,
                };
                let after_ns = (meter.now() - start + lateness) as f64;
                let after = after_ns / 1e9 * f64::from(SAMPLE_RATE);
                found.push(Judged { activation, at_sample: recorded as f64 + after });
            },
            |part| {
                let cost = watch.lap();
                pipeline.add(cost);
                laps.mark(part, cost, &mut *done);
            },
        );
        let cost = watch.lap();
        pipeline.add(cost);
        laps.end(cost, &mut *done);
        result?;
        let heard = |activation| {
            let (wake_word, model) = (self.wake_word.clone(), self.model.clone());
            Heard { wake_word, model, activation }
        };
        for judged in &self.found {
            self.tape.take(heard(judged.activation), &mut |_, audio| drop(audio));
        }
        for activation in self.settled.drain(..) {
            self.tape.settle(heard(activation), &mut |_, audio| drop(audio));
        }
        gate.add(watch.lap());
        let mut whole = Cost::default();
        [ring, resample, gate, pipeline].into_iter().for_each(|cost| whole.add(cost));
        // The harness's own work, outside of every time.
        self.judged += self.found.len() as u64;
        self.found.iter().for_each(|judged| self.words.take(judged));
        self.found.clear();
        self.propose()?;
        Ok([ring, resample, gate, whole])
    }

    /// Proposes the words that have ended in what the pipeline has heard.
    fn propose(&mut self) -> Result<()> {
        if !self.is_proposed {
            return Ok(());
        }
        while let Some(word) = self.words.word(self.proposed) {
            if word.end > self.pipeline.samples() {
                break;
            }
            self.pipeline.judge_at(word.end)?;
            self.proposed += 1;
        }
        Ok(())
    }
}
