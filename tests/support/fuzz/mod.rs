//! Throws altered inputs at a parser for a bounded time, from a corpus that is kept.
//!
//! `tests/fuzz/NAME/` holds the inputs that a parser once failed on, and others that take a rare
//! way through it; each of them is a test for ever. What fails is written there before the test
//! fails: keep it. `WAKEGATE_FUZZ_S=60 cargo test --test attack parsers` looks longer than the two seconds
//! for each parser that every run has.
#![allow(dead_code)]

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Longest input that is made.
const MOST_BYTES: usize = 1 << 16;
/// Lengths and counts that parsers trip over.
const ODD: [u64; 9] = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Numbers that are the same for the same seed.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Alters `bytes` in one to eight places; `other` lends stretches.
pub fn alter(bytes: &mut Vec<u8>, other: &[u8], draw: &mut Draw) {
    for _ in 0..1 + draw.below(8) {
        let at = draw.below(bytes.len() + 1);
        match draw.below(8) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
            2 if at < bytes.len() => bytes[at] = draw.next() as u8,
            3 => bytes.truncate(at),
            4 => {
                let end = (at + 1 + draw.below(32)).min(bytes.len());
                drop(bytes.drain(at.min(end)..end));
            }
            5 => {
                let end = (at + 1 + draw.below(64)).min(bytes.len());
                let stretch = bytes[at.min(end)..end].to_vec();
                let place = draw.below(bytes.len() + 1);
                bytes.splice(place..place, stretch);
            }
            6 => {
                let odd = ODD[draw.below(ODD.len())].to_le_bytes();
                let width = [1, 2, 4, 8][draw.below(4)];
                let end = (at + width).min(bytes.len());
                bytes.splice(at.min(end)..end, odd[..width].iter().copied());
            }
            _ => {
                let from = draw.below(other.len() + 1);
                let end = (from + draw.below(64)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
    bytes.truncate(MOST_BYTES);
}

/// How long each parser is looked at.
fn patience() -> Duration {
    let asked = std::env::var("WAKEGATE_FUZZ_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs_f64(asked.unwrap_or(2.0))
}

fn folder(name: &str) -> PathBuf {
    crate::cli_support::checkout("tests/fuzz").join(name)
}

/// Every kept input of the parser `name`.
fn kept(name: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(folder(name)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Leaves out what the program itself catches, as it does.
fn quiet() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let say = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !wakegate::error::is_catching() {
                say(panic);
            }
        }));
    });
}

/// Takes `seeds` and the kept inputs, as they are and altered, through `parse` until the time is
/// over. It may refuse what it likes; it must not panic.
pub fn fuzz(name: &str, seeds: Vec<Vec<u8>>, parse: impl Fn(&[u8])) {
    quiet();
    let seeds = [seeds, kept(name)].concat();
    assert!(!seeds.is_empty());
    let survive = |input: &[u8]| {
        if catch_unwind(AssertUnwindSafe(|| parse(input))).is_ok() {
            return;
        }
        let mut hasher = DefaultHasher::new();
        input.hash(&mut hasher);
        let path = folder(name).join(format!("{:016x}", hasher.finish()));
        fs::create_dir_all(folder(name)).unwrap();
        fs::write(&path, input).unwrap();
        panic!("{name} panicked on {} bytes, which are kept in {}", input.len(), path.display());
    };
    seeds.iter().for_each(|seed| survive(seed));
    // Another way each time, and the same one again by its number.
    let seed = std::env::var("WAKEGATE_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let (mut draw, end, mut count) = (Draw::new(seed), Instant::now() + patience(), 0_u64);
    while Instant::now() < end {
        let mut input = seeds[draw.below(seeds.len())].clone();
        let other = &seeds[draw.below(seeds.len())];
        alter(&mut input, other, &mut draw);
        survive(&input);
        count += 1;
    }
    println!("{name}: {count} inputs, WAKEGATE_FUZZ_SEED={seed}");
}
