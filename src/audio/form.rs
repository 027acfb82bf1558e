//! Whether headerless bytes are samples of another form than signed 16-bit little-endian mono ones.
//!
//! A sample of sound resembles the one before it. Bytes that are read in a wrong form do not, and
//! in the right one they do again. That is likely and not certain, and warned of; what first bytes
//! tell for certain is refused (`foreign`).

use zeroize::Zeroizing;

/// Bytes that are looked at together: a second.
const LOOKED: usize = 32_000;
/// Fewer say nothing.
const LEAST: usize = 8_000;
/// Likeness of neighbours below which what is read is hardly sound, and from which another form is.
const UNLIKE: f64 = 0.35;
const ALIKE: f64 = 0.7;
/// Share of the difference of other neighbours that two channels of one sound differ by at most.
const CHANNELS: f64 = 0.05;
/// Share of samples beyond half of full scale from which they are unsigned: their silence is at full scale.
const UNSIGNED: f64 = 0.9;
/// Least mean power, of full scale 1, by which anything is said.
const QUIETEST: f64 = 1e-6;

/// Watches a stream of bytes; its loudest second says what they are.
#[derive(Debug, Default)]
pub(super) struct Form {
    bytes: Zeroizing<Vec<u8>>,
    loudest: f64,
    found: Option<&'static str>,
}

impl Form {
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(LOOKED - self.bytes.len()));
            self.bytes.extend_from_slice(now);
            bytes = later;
            if self.bytes.len() == LOOKED {
                self.look();
            }
        }
    }

    /// What the bytes are instead, by all that came; `None` where nothing speaks against the form they are read in.
    pub(super) fn end(&mut self) -> Option<&'static str> {
        self.look();
        self.found
    }

    fn look(&mut self) {
        if self.bytes.len() < LEAST {
            return;
        }
        let samples = read(&self.bytes, 2, 0, true);
        let (likeness, power) = likeness(&samples);
        if power > self.loudest.max(QUIETEST) {
            self.loudest = power;
            let far = samples.iter().filter(|sample| sample.abs() >= 0.5).count();
            self.found = if far as f64 > UNSIGNED * samples.len() as f64 {
                Some("unsigned samples")
            } else if likeness < UNLIKE {
                sound(&self.bytes)
            } else {
                doubled(&samples).then_some("two channels of one sound")
            };
        }
        self.bytes.clear();
    }
}

/// The narrowest form in which the bytes are like sound, if there is one.
fn sound(bytes: &[u8]) -> Option<&'static str> {
    let forms = [
        (2, "16-bit samples that are big-endian or begin in the middle of one"),
        (3, "24-bit samples"),
        (4, "32-bit samples or two channels"),
    ];
    let is = |width, phase, little| likeness(&read(bytes, width, phase, little)).0 > ALIKE;
    forms
        .into_iter()
        .find(|&(width, _)| {
            (0..width).any(|phase| is(width, phase, true) || is(width, phase, false))
        })
        .map(|(_, name)| name)
}

/// The upper 16 bits of samples of `width` bytes, of full scale 1, from byte `phase` on.
fn read(bytes: &[u8], width: usize, phase: usize, little: bool) -> Vec<f64> {
    let upper = |sample: &[u8]| match little {
        true => i16::from_le_bytes([sample[width - 2], sample[width - 1]]),
        false => i16::from_be_bytes([sample[0], sample[1]]),
    };
    let from = bytes.get(phase..).unwrap_or_default();
    from.chunks_exact(width).map(|sample| f64::from(upper(sample)) / 32_768.0).collect()
}

/// How much each sample resembles the one before it (-1 to 1), and the mean power about the mean.
fn likeness(samples: &[f64]) -> (f64, f64) {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let power = samples.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let product = samples.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum::<f64>();
    (product / power.max(f64::MIN_POSITIVE), power / count)
}

/// Whether each second sample repeats the one before it: the same sound in two channels.
fn doubled(samples: &[f64]) -> bool {
    let apart = |from: usize| {
        let pairs = samples.get(from..).unwrap_or_default().chunks_exact(2);
        pairs.map(|pair| (pair[1] - pair[0]).abs()).sum::<f64>()
    };
    let (even, odd) = (apart(0), apart(1));
    even < CHANNELS * odd || odd < CHANNELS * even
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice-like sound with some noise, 3 s.
    fn voice() -> Vec<i16> {
        let mut state = 1u32;
        (0..48_000)
            .map(|k| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let noise = f64::from(state >> 16) / 65_536.0 - 0.5;
                let time = f64::from(k) / 16_000.0;
                let tone = (time * 1_400.0).sin() + 0.5 * (time * 5_100.0).sin();
                ((tone + 0.3 * noise) * (time * 9.0).sin().abs() * 9_000.0) as i16
            })
            .collect()
    }

    fn of(bytes: &[u8]) -> Option<&'static str> {
        let mut form = Form::default();
        bytes.chunks(8_191).for_each(|part| form.take(part));
        form.end()
    }

    fn each<const N: usize>(write: impl Fn(i16) -> [u8; N]) -> Vec<u8> {
        voice().into_iter().flat_map(write).collect()
    }

    #[test]
    fn samples_of_another_form_are_named() {
        let low = 0x5a;
        let cases = [
            ("unsigned samples", each(|s| [((s >> 8) + 128) as u8])),
            ("unsigned samples", each(|s| s.wrapping_sub(i16::MIN).to_le_bytes())),
            (
                "16-bit samples that are big-endian or begin in the middle of one",
                each(i16::to_be_bytes),
            ),
            ("24-bit samples", each(|s| [low, s as u8, (s >> 8) as u8])),
            ("24-bit samples", each(|s| [(s >> 8) as u8, s as u8, low])),
            ("32-bit samples or two channels", each(|s| (i32::from(s) << 16).to_le_bytes())),
            (
                "two channels of one sound",
                each(|s| [s as u8, (s >> 8) as u8, s as u8, (s >> 8) as u8]),
            ),
        ];
        for (name, bytes) in cases {
            assert_eq!(of(&bytes), Some(name));
        }
        let late = each(i16::to_le_bytes).split_off(1);
        assert_eq!(
            of(&late),
            Some("16-bit samples that are big-endian or begin in the middle of one")
        );
    }

    #[test]
    fn sound_noise_and_silence_are_taken_as_they_are() {
        assert_eq!(of(&each(i16::to_le_bytes)), None);
        let mut state = 7u32;
        let noise: Vec<u8> = (0..96_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        assert_eq!(of(&noise), None);
        assert_eq!(of(&[0; 64_000]), None);
        assert_eq!(of(&[1, 2, 3]), None);
    }
}
