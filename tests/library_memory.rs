//! Nothing of a recording stays in the process's memory once the gate has stopped it.

#[path = "support/review/mod.rs"]
mod review_support;

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use review_support::{HandClock, gate, heard, noise, open_settings, open_state};
use wakegate::decision::Verdict;
use wakegate::gate::{AudioBuffer, Clock, Heard, LiveAudio, Tape};

/// Bytes that are looked for: so many samples in a row.
const RUN: usize = 16;

/// How often each stretch of `RUN` samples of the recording stands in this process's memory.
/// The recording is known by its complement, so that the search does not find itself.
fn traces(complement: &[u8]) -> usize {
    let needles: std::collections::HashSet<&[u8]> = complement.chunks_exact(4 * RUN).collect();
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
                found += aligned.filter(|window| needles.contains(window)).count();
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
