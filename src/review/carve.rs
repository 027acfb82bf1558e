//! Carves bytes as who finds a medium does: looks for audio files by their first bytes, and for
//! recordings by their samples, in any common encoding and at any alignment.

use std::collections::{HashMap, HashSet};

/// Samples of a run; two runs never are equal by chance.
const RUN: usize = 8;

/// Bytes that are passed by at once where they are all zero.
const BLOCK: usize = 4096;

/// First bytes of files of audio, each long enough not to come up by chance: the bytes at the
/// start, and those some way behind it.
const MAGIC: [(&str, &[u8], usize, &[u8]); 8] = [
    ("a WAV file", b"RIFF", 8, b"WAVE"),
    ("a WAV file without its start", b"WAVEfmt ", 8, b""),
    ("a big WAV file", b"RF64", 8, b"WAVE"),
    ("an AIFF file", b"FORM", 8, b"AIF"),
    ("a FLAC file", b"fLaC\0\0\0\x22", 8, b""),
    ("a FLAC file of one block", b"fLaC\x80\0\0\x22", 8, b""),
    ("an Ogg file", b"OggS\0\x02\0\0", 8, b""),
    ("a file of raw samples by NumPy", b"\x93NUMPY", 6, b"\x01\0"),
];

type Encode = fn(f32) -> Vec<u8>;
/// Bytes to look for, and what they are.
type Run = (Vec<u8>, What);

enum What {
    /// A recording, an encoding, and a run of it, by their numbers.
    Samples(usize, usize, usize),
    Named(String),
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Samples(recording, encoding, run) => {
                write!(f, "recording {recording} as {}, run {run}", ENCODINGS[*encoding].0)
            }
            Self::Named(name) => f.write_str(name),
        }
    }
}

fn i16_of(sample: f32, scale: f32) -> i16 {
    (sample * scale).round().clamp(-32_768.0, 32_767.0) as i16
}

const ENCODINGS: [(&str, Encode); 8] = [
    ("16 bits", |s| i16_of(s, 32_768.0).to_le_bytes().into()),
    ("16 bits by 32767", |s| i16_of(s, 32_767.0).to_le_bytes().into()),
    ("16 bits, big-endian", |s| i16_of(s, 32_768.0).to_be_bytes().into()),
    ("24 bits", |s| ((f64::from(s) * 8_388_608.0) as i32).to_le_bytes()[..3].into()),
    ("32 bits", |s| ((f64::from(s) * 2_147_483_648.0) as i32).to_le_bytes().into()),
    ("floats", |s| s.to_le_bytes().into()),
    ("floats, big-endian", |s| s.to_be_bytes().into()),
    ("doubles", |s| f64::from(s).to_le_bytes().into()),
];

/// What is looked for.
pub struct Carver {
    /// Runs by their first bytes; what they are of.
    runs: HashMap<[u8; 8], Vec<Run>>,
    /// Whether any run may start with bytes of this number; most of an image is passed by.
    starts: Vec<bool>,
}

/// A number below 2^20 of the first four bytes.
fn number(bytes: &[u8]) -> usize {
    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    (word.wrapping_mul(2_654_435_761) >> 12) as usize
}

impl Carver {
    /// Looks for every run of eight samples of `recordings` from a multiple of eight on: any
    /// stretch of fifteen holds one.
    pub fn new(recordings: &[Vec<f32>]) -> Self {
        let mut runs: HashMap<[u8; 8], Vec<Run>> = HashMap::new();
        for (recording, samples) in recordings.iter().enumerate() {
            for (encoding, (_, encode)) in ENCODINGS.iter().enumerate() {
                for (run, samples) in samples.chunks_exact(RUN).enumerate() {
                    let bytes: Vec<u8> = samples.iter().flat_map(|&s| encode(s)).collect();
                    // Silence is everywhere and nobody's.
                    if bytes.iter().collect::<HashSet<_>>().len() > 8 {
                        let start = bytes[..8].try_into().unwrap();
                        let what = What::Samples(recording, encoding, run);
                        runs.entry(start).or_default().push((bytes, what));
                    }
                }
            }
        }
        let mut starts = vec![false; 1 << 20];
        runs.keys().for_each(|start| starts[number(start)] = true);
        Self { runs, starts }
    }

    /// Also looks for these bytes, at least eight.
    pub fn and(mut self, what: &str, bytes: &[u8]) -> Self {
        let start: [u8; 8] = bytes[..8].try_into().unwrap();
        self.starts[number(&start)] = true;
        self.runs.entry(start).or_default().push((bytes.to_vec(), What::Named(what.to_owned())));
        self
    }

    /// What stands in `image`, and where; at most ten finds.
    pub fn find(&self, image: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let mut next = 0;
        while let Some(window) = image.get(next..next + 8) {
            let at = next;
            // Most of a disk is empty. What starts at the end of a block of zeros is looked at.
            if at % BLOCK == 0 && image.get(at..at + BLOCK) == Some(&[0; BLOCK][..]) {
                next += BLOCK - 64;
                continue;
            }
            next += 1;
            let is_start = MAGIC.iter().any(|(_, start, ..)| start[0] == window[0]);
            if !is_start && !self.starts[number(window)] {
                continue;
            }
            let rest = &image[at..];
            for (what, start, behind, more) in MAGIC {
                let more_at = rest.get(behind..).unwrap_or_default();
                if rest.starts_with(start) && more_at.starts_with(more) {
                    found.push(format!("{what} at {at}"));
                }
            }
            let runs = self.runs.get(window).into_iter().flatten();
            let whole = runs.filter(|(bytes, _)| rest.starts_with(bytes));
            found.extend(whole.map(|(_, what)| format!("{what} at {at}")));
            if found.len() >= 10 {
                break;
            }
        }
        found
    }
}

/// The texts of `image` that `strings` would show and that hold one of `words`, in any case.
pub fn strings_with(image: &[u8], words: &[&str]) -> Vec<String> {
    let printable = |byte: &u8| (0x20..0x7F).contains(byte);
    image
        .split(|byte| !printable(byte))
        .filter(|text| text.len() >= 4)
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .filter(|text| words.iter().any(|word| text.to_ascii_lowercase().contains(word)))
        .take(10)
        .collect()
}

/// The carver finds what is there: nothing that it says is worth anything otherwise.
pub fn check_the_carver(samples: &[f32]) {
    let carver = Carver::new(&[samples.to_vec()]).and("the secret", b"0123456789abcdef");
    let filler: Vec<u8> =
        (0..5000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(carver.find(&filler), Vec::<String>::new());
    let hidden = |bytes: &[u8], at: usize| {
        let mut image = filler.clone();
        image[at..at + bytes.len()].copy_from_slice(bytes);
        carver.find(&image)
    };
    for (name, encode) in ENCODINGS {
        // Fifteen samples from an odd place, at an odd address.
        let bytes: Vec<u8> = samples[1003..1018].iter().flat_map(|&s| encode(s)).collect();
        let found = hidden(&bytes, 777);
        assert!(found.iter().any(|what| what.contains(name)), "{name}: {found:?}");
    }
    assert_eq!(hidden(b"RIFF\x24\0\0\0WAVE", 401), ["a WAV file at 401"]);
    assert_eq!(hidden(b"fLaC\0\0\0\x22\x10\0", 402), ["a FLAC file at 402"]);
    assert_eq!(hidden(b"0123456789abcdef", 4984), ["the secret at 4984"]);
    assert_eq!(strings_with(b"\0\x01say Alexa now\0al\0", &["alexa"]), ["say Alexa now"]);
}
