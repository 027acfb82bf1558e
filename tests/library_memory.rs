//! Nothing of a recording stays in the process's memory once the gate has stopped it.

#[path = "support/review/mod.rs"]
mod review_support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use review_support::{
    HandClock, Scripted, gate, heard, intended, noise, open_settings, open_state,
};
use wakegate::decision::Verdict;
use wakegate::gate::{AudioBuffer, Clock, Heard, LiveAudio, Policy, Stop, Tape};
use wakegate::model::Model;
use wakegate::pipeline::Pipeline;
use wakegate::stream::{ClipSink, Judge, Stream, WakeWord};

/// Bytes that are looked for: so many samples in a row.
const RUN: usize = 16;

/// One test at a time: each would find what the other's search has in its hands.
static ALONE: Mutex<()> = Mutex::new(());

/// How often each stretch of `RUN` samples of the recording stands in this process's memory.
/// The recording is known by its complement, so that the search does not find itself.
fn traces(complement: &[u8]) -> usize {
    let needles: std::collections::HashSet<&[u8]> = complement.chunks_exact(4 * RUN).collect();
    // Most of the memory begins like no needle: a look into a table tells.
    let place = |bytes: &[u8]| {
        let first = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        (first.wrapping_mul(0x9E37_79B1) >> 16) as usize
    };
    let mut begins = vec![false; 1 << 16];
    needles.iter().for_each(|needle| begins[place(needle)] = true);
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    for line in maps.lines() {
        let (range, rest) = line.split_once(' ').unwrap();
        if !rest.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (hex(start), hex(end));
        let mut page = vec![0; 1 << 16];
        let mut at = start;
        while at < end {
            let length = page.len().min((end - at) as usize);
            // A guard page can't be read.
            if memory.read_exact_at(&mut page[..length], at).is_ok() {
                page[..length].iter_mut().for_each(|byte| *byte = !*byte);
                let aligned = page[..length].windows(4 * RUN).step_by(4);
                found += aligned.filter(|w| begins[place(w)] && needles.contains(w)).count();
                page.fill(0);
            }
            at += (length - 4 * RUN) as u64;
            if length <= 4 * RUN {
                break;
            }
        }
    }
    found
}

fn complement(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).map(|byte| !byte).collect()
}

fn wipe(mut samples: Vec<f32>) {
    samples.fill(0.0);
    std::hint::black_box(&samples);
}

#[test]
fn an_accidental_recording_leaves_no_trace_in_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let seconds = 16_000;
    let samples = noise(8 * seconds, 42);
    let known = complement(&samples);
    assert!(traces(&known) > 1000, "the search finds what is there");

    // Through the tape, as the daemon hears it.
    let policy = open_settings().policy().unwrap();
    let mut tape = Tape::new(&policy);
    let mut never = |_: Heard, _: LiveAudio| panic!("there is nothing to give");
    tape.push(&samples, &mut never);
    wipe(samples);
    assert!(traces(&known) > 1000, "the tape holds it");
    tape.take(heard(Verdict::Accidental, 0.1, 6.9, 7.2), &mut never);
    assert_eq!(traces(&known), 0, "the tape forgot it");
    drop(tape);

    // Through the gate, with a verdict that it stops and with one that it does not.
    let offered = |verdict| {
        let samples = noise(8 * seconds, 42);
        let audio = LiveAudio { buffer: AudioBuffer::copy_of(&samples), first_sample: 0 };
        wipe(samples);
        assert!(traces(&known) > 1000);
        let heard = heard(verdict, 0.97, 4.0, 4.5);
        gate(&open_settings()).admit(heard, audio, &open_state(), HandClock::new().now())
    };
    assert!(offered(Verdict::Unsure).is_err());
    assert_eq!(traces(&known), 0);
    let clip = offered(Verdict::Intended).unwrap_or_else(|stop| panic!("{stop}"));
    assert!(traces(&known) > 1000, "the clip is there");
    drop(clip);
    assert_eq!(traces(&known), 0, "and gone");
}

/// A sink whose clips are wiped as they come.
struct Wiped(Policy);

impl Wiped {
    fn new() -> Self {
        Self(open_settings().policy().unwrap())
    }
}

impl ClipSink for Wiped {
    fn policy(&self) -> &Policy {
        &self.0
    }
    fn take(&mut self, _: Heard, _: LiveAudio) {}
    fn count(&mut self, _: Stop) {}
}

/// Streams five seconds of `noise(_, seed)`, in chunks of all sizes, and gives its complement.
fn stream_noise<J: Judge>(stream: &mut Stream<Wiped, J>, seed: u64) -> Vec<u8> {
    let samples = noise(80_000, seed);
    let known = complement(&samples);
    let mut rest = &samples[..];
    let mut state = seed;
    while !rest.is_empty() {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (chunk, later) = rest.split_at(((state >> 33) as usize % 4_000 + 1).min(rest.len()));
        stream.push(chunk, &mut |_, _| true).unwrap();
        rest = later;
    }
    wipe(samples);
    known
}

/// What makes a stream forget what it heard.
type Forget<J> = (&'static str, fn(Stream<Wiped, J>) -> Option<Stream<Wiped, J>>);

fn forgets<J: Judge>(judge: impl Fn() -> J, seed: u64, ways: &[Forget<J>]) {
    for (index, (name, forget)) in ways.iter().enumerate() {
        let mut stream = Stream::new(vec![WakeWord::new("alexa", "tiny-1", judge())]);
        stream.keep(Some(Wiped::new()));
        let known = stream_noise(&mut stream, seed + index as u64);
        assert!(index > 0 || traces(&known) > 1000, "{name}: the stream holds it");
        let left = forget(stream);
        assert_eq!(traces(&known), 0, "{name}");
        drop(left);
    }
}

#[test]
fn a_stream_that_is_told_to_forget_leaves_no_trace_in_memory() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // One word whose clip still waits when the five seconds are over.
    let scripted = || Scripted::saying([intended(1.0, 1.5), intended(3.4, 3.9)]);
    let mut ways: Vec<Forget<Scripted>> = vec![
        ("the end", |mut stream| {
            stream.finish(&mut |_, _| true).unwrap();
            assert!(stream.push(&[0.0; 160], &mut |_, _| true).is_err(), "it has ended");
            Some(stream)
        }),
        ("a cut", |mut stream| {
            stream.cut(&mut |_, _| true).unwrap();
            Some(stream)
        }),
        ("nobody to keep it for", |mut stream| {
            stream.keep(None);
            Some(stream)
        }),
        ("another to keep it for", |mut stream| {
            stream.keep(Some(Wiped::new()));
            Some(stream)
        }),
        ("other words", |mut stream| {
            stream.listen_for(vec![WakeWord::new("computer", "tiny-1", Scripted::default())]);
            Some(stream)
        }),
    ];
    ways.extend(for_all());
    forgets(scripted, 100, &ways);
    let model = Model::embedded().unwrap();
    let mut ways: Vec<Forget<Pipeline>> = for_all();
    ways.push(("a sample that is no number", |mut stream| {
        assert!(stream.push(&[0.1, f32::NAN], &mut |_, _| true).is_err());
        Some(stream)
    }));
    forgets(|| Pipeline::new(&model).unwrap(), 200, &ways);
    let failing = || Scripted { script: vec![(100_000, None)], heard: 0 };
    forgets(
        failing,
        300,
        &[("an error", |mut stream| {
            assert!(stream.push(&[0.0; 32_000], &mut |_, _| true).is_err());
            Some(stream)
        })],
    );
}

/// Whatever the judge holds is forgotten too.
fn for_all<J: Judge>() -> Vec<Forget<J>> {
    vec![
        ("a gap", |mut stream| {
            stream.restart(stream.position() + 1_000).unwrap();
            Some(stream)
        }),
        ("no word", |mut stream| {
            stream.listen_for(Vec::new());
            Some(stream)
        }),
        ("a drop", |stream| {
            drop(stream);
            None
        }),
        ("its words given back", |stream| {
            stream.into_words();
            None
        }),
    ]
}
