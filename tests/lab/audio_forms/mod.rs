//! Files as programs write them, whole and damaged: nothing is judged that was not recorded, and
//! nothing that was is left out without a word.

mod damage;
mod headers;
mod programs;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};

use wakegate::Result;
use wakegate::audio::{Source, Warning, read_all};
use wakegate_lab::decode::FileSource;

use crate::audio::{sine, wav_i16};

const RATE: usize = 16_000;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/forms").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

/// Samples and warnings of a file with these bytes.
fn decode(bytes: &[u8]) -> Result<(Vec<f32>, Vec<Warning>)> {
    let mut source = FileSource::of_bytes(std::io::Cursor::new(bytes.to_vec()), "PATH", None)?;
    let samples = read_all(&mut source)?;
    Ok((samples, source.warnings().to_vec()))
}

fn seconds(samples: &[f32]) -> f64 {
    samples.len() as f64 / RATE as f64
}

fn codes(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.code.as_ref()).collect()
}

fn error(bytes: &[u8]) -> String {
    decode(bytes).err().map(|error| error.to_string()).unwrap_or_default()
}

/// The 2.2 s that most of the files hold.
fn lights() -> Vec<f32> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/alexa_lights.flac");
    let mut samples = read_all(&mut FileSource::open(whole).unwrap()).unwrap();
    samples.truncate(35_200);
    samples
}

/// By how many samples `got` is late against `wanted`, at most `reach` either way.
fn lag(wanted: &[f32], got: &[f32], reach: i64) -> i64 {
    let at = |samples: &[f32], place: i64| {
        usize::try_from(place).ok().and_then(|p| samples.get(p)).copied().unwrap_or(0.0)
    };
    let alike = |lag: i64| -> f64 {
        (0..wanted.len() as i64)
            .step_by(3)
            .map(|n| f64::from(at(wanted, n)) * f64::from(at(got, n + lag)))
            .sum()
    };
    (-reach..=reach).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn wave(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((4 + body.len() as u32).to_le_bytes());
    bytes.extend(b"WAVE");
    bytes.extend(body);
    bytes
}

/// A format chunk of one channel at 16 kHz.
fn format(tag: u16, bits: u16, block: u16) -> Vec<u8> {
    let mut body = Vec::new();
    for field in [tag, 1] {
        body.extend(field.to_le_bytes());
    }
    body.extend((RATE as u32).to_le_bytes());
    body.extend((RATE as u32 * u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    chunk(b"fmt ", &body)
}

fn tone() -> Vec<f32> {
    sine(440.0, 0.5, RATE as u32, RATE)
}

fn sixteen(samples: &[f32]) -> Vec<u8> {
    wav_i16(samples, 1, RATE as u32)[44..].to_vec()
}
