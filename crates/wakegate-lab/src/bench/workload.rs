//! The audio that is measured on, and where the words in it are.

use sha2::{Digest, Sha256};

use wakegate::audio::SAMPLE_RATE;
use wakegate::{Error, ErrorKind, Result};

/// Samples a second.
const RATE: usize = SAMPLE_RATE as usize;
/// Seconds from one made word to the next.
const WORD_EVERY_S: f64 = 4.0;
/// Length of a made word in seconds.
const WORD_S: f64 = 0.6;
/// Made words in the built-in workload.
const WORDS: usize = 6;
/// The longest workload in seconds: it is held in memory, at 32 kB a second.
const LONGEST_S: usize = 1_800;

/// Where a word is, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Its first sample.
    pub start: u64,
    /// The sample after its last.
    pub end: u64,
}

/// Audio to measure on, heard again and again, with the words whose verdicts are waited for.
#[derive(Clone)]
pub struct Workload {
    name: String,
    samples: Vec<i16>,
    words: Vec<Word>,
    proposed: bool,
}

impl Workload {
    /// 16 kHz samples with words in them; the candidates are the spotter's.
    ///
    /// # Errors
    /// [`ErrorKind::Audio`] for less than a second or more than half an hour,
    /// [`ErrorKind::Settings`] for words that do not follow on each other inside of it.
    pub fn new(name: String, samples: Vec<i16>, words: Vec<Word>) -> Result<Self> {
        if !(RATE..=LONGEST_S * RATE).contains(&samples.len()) {
            return Err(Error::new(ErrorKind::Audio, format!("cannot measure on {name}"))
                .expected(format!("1 to {LONGEST_S} s of audio"))
                .found(format!("{:.2} s", samples.len() as f64 / RATE as f64))
                .hint("cut it, or join several recordings"));
        }
        let mut before = 0;
        for word in &words {
            if word.start < before || word.end <= word.start || word.end > samples.len() as u64 {
                let at = |sample: u64| sample as f64 / RATE as f64;
                return Err(Error::new(
                    ErrorKind::Settings,
                    format!("a word of {name} is refused"),
                )
                .expected("words in the order of their times, inside the audio")
                .found(format!(
                    "one from {} to {} s",
                    at(word.start),
                    at(word.end)
                )));
            }
            before = word.end;
        }
        Ok(Self { name, samples, words, proposed: false })
    }

    /// Made audio, the same on every machine: noise, voiced bursts as in talk, and every four
    /// seconds a made word. No spotter takes that for its word, so a candidate is proposed at
    /// the end of each, as another engine would.
    pub fn built_in() -> Self {
        let every = (WORD_EVERY_S * RATE as f64) as usize;
        let length = (WORD_S * RATE as f64) as usize;
        let words = (1..=WORDS).map(|number| {
            let end = number * every - every / 2;
            Word { start: (end - length) as u64, end: end as u64 }
        });
        Self {
            name: "built-in".to_owned(),
            samples: made(WORDS * every),
            words: words.collect(),
            proposed: true,
        }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// 16 kHz mono.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// The words, in their order.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// Whether a candidate is proposed at the end of each word.
    pub fn is_proposed(&self) -> bool {
        self.proposed
    }

    /// SHA-256 of the samples as 16-bit little-endian PCM, in hexadecimal digits.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        let mut bytes = Vec::with_capacity(2 * RATE);
        for second in self.samples.chunks(RATE) {
            bytes.clear();
            bytes.extend(second.iter().flat_map(|sample| sample.to_le_bytes()));
            hash.update(&bytes);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// `count` samples: noise at -60 dB, and bursts of a voice with three moving formants.
fn made(count: usize) -> Vec<i16> {
    let mut state = 1_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    // `libm`: the system's own functions differ in their last bit.
    let sine = |turns: f32| libm::sinf((turns - libm::floorf(turns)) * std::f32::consts::TAU);
    let length = (WORD_S * RATE as f64) as usize;
    let mut glottis = 0.0_f32;
    (0..count)
        .map(|n| {
            // Bursts of a word's length, with a pause of two thirds of it.
            let (burst, place) = (n / (length * 5 / 3), n % (length * 5 / 3));
            let mut sample = 0.001 * noise();
            if place < length {
                let along = place as f32 / length as f32;
                let pitch = 105.0 + 13.0 * (burst % 7) as f32 + 25.0 * sine(along * 0.5);
                glottis = (glottis + pitch / RATE as f32).fract();
                let pulse = libm::expf(-18.0 * glottis);
                let time = n as f32 / RATE as f32;
                let formants = [(620.0, 1.0), (1_450.0, 0.6), (2_600.0, 0.3)];
                let voice = formants.iter().enumerate().map(|(k, &(hz, level))| {
                    let moved = hz * (1.0 + 0.25 * sine(along + 0.3 * k as f32));
                    level * sine(moved * time)
                });
                let hiss = if burst % 3 == 2 { 0.15 * noise() } else { 0.0 };
                let envelope = sine(along * 0.5);
                sample += envelope * (0.25 * pulse * voice.sum::<f32>() + hiss * 0.2);
            }
            libm::roundf(sample.clamp(-1.0, 1.0) * 32_767.0) as i16
        })
        .collect()
}

/// Reads words from `text`, one a line: start and end in seconds, then whatever it is called,
/// parted by tabs. Audacity exports its labels so.
///
/// # Errors
/// [`ErrorKind::Settings`] names the first line of another form; also where there is none.
pub fn labels(text: &str) -> Result<Vec<Word>> {
    let words = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let words = words.map(|(number, line)| {
        let refused = || {
            Error::new(ErrorKind::Settings, format!("line {number} of the labels is refused"))
                .expected("start and end in seconds, and a name, parted by tabs")
                .found(format!("{:?}", line.chars().take(60).collect::<String>()))
                .hint("export a label track of Audacity, or write one")
        };
        let mut fields = line.split('\t');
        let mut seconds = || -> Result<u64> {
            let value: f64 =
                fields.next().and_then(|f| f.trim().parse().ok()).ok_or_else(refused)?;
            let fits = (0.0..=LONGEST_S as f64).contains(&value);
            if fits { Ok((value * RATE as f64).round() as u64) } else { Err(refused()) }
        };
        let (start, end) = (seconds()?, seconds()?);
        if end > start { Ok(Word { start, end }) } else { Err(refused()) }
    });
    let words = words.collect::<Result<Vec<_>>>()?;
    if words.is_empty() {
        return Err(Error::new(ErrorKind::Settings, "the labels are refused")
            .expected("a word")
            .found("none"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_workload_is_the_same_everywhere() {
        let workload = Workload::built_in();
        assert_eq!(workload.samples().len(), 24 * RATE);
        assert_eq!(workload.words().len(), WORDS);
        assert!(workload.is_proposed());
        assert_eq!(workload.words()[0], Word { start: 22_400, end: 32_000 });
        let peak = workload.samples().iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!((4_000..32_767).contains(&peak), "{peak}");
        // The generator's output; a change of it makes earlier measurements another workload's.
        let expected = "6a2bc478ea7ed098a580a85854b4a6739a5a5e1b4a0ffd4e52d2d66994207d32";
        assert_eq!(workload.sha256(), expected);
    }

    #[test]
    fn labels_of_audacity_are_read() {
        let words = labels("0.5\t1.25\talexa\n\n2\t2.5\n").unwrap();
        assert_eq!(
            words,
            [Word { start: 8_000, end: 20_000 }, Word { start: 32_000, end: 40_000 }]
        );
        for bad in ["", "0.5", "0.5\tx", "1\t0.5\tword", "-1\t2", "nan\t2", "0\tinf", "0 1 word"] {
            assert_eq!(labels(bad).unwrap_err().kind(), ErrorKind::Settings, "{bad:?}");
        }
        assert_eq!(
            labels("1\t2\n0.5\n").unwrap_err().to_string(),
            "line 2 of the labels is refused: expected start and end in seconds, and a name, \
             parted by tabs, found \"0.5\" (hint: export a label track of Audacity, or write one)"
        );
    }

    #[test]
    fn audio_and_words_must_fit_each_other() {
        let made = |seconds: f64, words: &[(u64, u64)]| {
            let samples = vec![0; (seconds * RATE as f64) as usize];
            let words = words.iter().map(|&(start, end)| Word { start, end }).collect();
            Workload::new("a.wav".to_owned(), samples, words)
        };
        assert!(made(2.0, &[(0, 100), (100, 32_000)]).is_ok());
        for (seconds, words) in [
            (0.9, &[][..]),
            (2.0, &[(0, 32_001)]),
            (2.0, &[(100, 200), (150, 300)]),
            (2.0, &[(100, 100)]),
        ] {
            assert!(made(seconds, words).is_err(), "{words:?}");
        }
    }
}
