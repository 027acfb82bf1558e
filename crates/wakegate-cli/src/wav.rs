//! WAV files, written.

use wakegate::audio::SAMPLE_RATE;

/// What a sample is in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SampleFormat {
    /// 16-bit integers; what is beyond full scale is clipped
    #[value(name = "i16")]
    Int16,
    /// 32-bit floats
    #[value(name = "f32")]
    Float32,
}

/// Bytes of the header of 16-bit samples.
pub const HEADER_16: usize = 44;

/// What stands before `samples` samples of a mono file at [`SAMPLE_RATE`].
pub fn header(samples: usize, form: SampleFormat) -> Vec<u8> {
    let (tag, width) = match form {
        SampleFormat::Int16 => (1_u16, 2_u16),
        SampleFormat::Float32 => (3, 4),
    };
    // Anything but integers also says how many samples there are.
    let fact: &[u8] = match form {
        SampleFormat::Int16 => &[],
        SampleFormat::Float32 => b"fact\x04\0\0\0",
    };
    let count = u32::try_from(samples).unwrap_or(u32::MAX);
    let size = count.saturating_mul(u32::from(width));
    let extra = if fact.is_empty() { 0 } else { 12 };
    let mut file = Vec::with_capacity(HEADER_16 + extra as usize);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&size.saturating_add(36 + extra).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt \x10\0\0\0");
    file.extend_from_slice(&tag.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    file.extend_from_slice(&(SAMPLE_RATE * u32::from(width)).to_le_bytes());
    file.extend_from_slice(&width.to_le_bytes());
    file.extend_from_slice(&(8 * width).to_le_bytes());
    if !fact.is_empty() {
        file.extend_from_slice(fact);
        file.extend_from_slice(&count.to_le_bytes());
    }
    file.extend_from_slice(b"data");
    file.extend_from_slice(&size.to_le_bytes());
    file
}

/// `sample` as 16-bit integers have it: what is beyond full scale is clipped.
pub fn int16(sample: f32) -> [u8; 2] {
    ((sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).to_le_bytes()
}

/// A mono file of `samples` at [`SAMPLE_RATE`].
pub fn bytes(samples: &[f32], form: SampleFormat) -> Vec<u8> {
    let mut file = header(samples.len(), form);
    for &sample in samples {
        match form {
            SampleFormat::Int16 => file.extend_from_slice(&int16(sample)),
            SampleFormat::Float32 => file.extend_from_slice(&sample.to_le_bytes()),
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use wakegate::audio::read_all;
    use wakegate_lab::decode::FileSource;

    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let samples: Vec<f32> =
            (0..1000).map(|n| ((n * 37 % 201) as f32 - 100.0) / 128.0).collect();
        let folder = tempfile::tempdir().unwrap();
        for form in [SampleFormat::Int16, SampleFormat::Float32] {
            let path = folder.path().join("a.wav");
            std::fs::write(&path, bytes(&samples, form)).unwrap();
            let mut source = FileSource::open(&path).unwrap();
            assert_eq!(source.input_rate(), Some(SAMPLE_RATE));
            // These samples are whole multiples of a 16-bit step.
            assert_eq!(read_all(&mut source).unwrap(), samples, "{form:?}");
        }
    }
}
