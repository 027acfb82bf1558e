//! What the configuration of an AAC stream says, and what of it can be read.

use symphonia::core::codecs::audio::AudioCodecParameters;

/// The object type that is read: low complexity.
const LOW_COMPLEXITY: u32 = 2;
/// Object types of an extension in front of that of the core: bands of high frequencies (SBR, as
/// HE-AAC has them), and with them stereo of one channel (PS).
const EXTENSIONS: [u32; 2] = [5, 29];
/// The index of a rate that is written out.
const WRITTEN_OUT: u32 = 15;
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Bits of a configuration, from the first on; none behind the last.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        (0..count).try_fold(0, |value, _| {
            let byte = self.bytes.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    fn object(&mut self) -> Option<u32> {
        match self.take(5)? {
            31 => Some(32 + self.take(6)?),
            few => Some(few),
        }
    }

    /// A rate in Hz, with its index.
    fn rate(&mut self) -> Option<(u32, u32)> {
        match self.take(4)? {
            WRITTEN_OUT => {
                let rate = self.take(24)?;
                let index = RATES.iter().position(|known| *known == rate)?;
                Some((rate, u32::try_from(index).ok()?))
            }
            index => Some((*RATES.get(index as usize)?, index)),
        }
    }
}

/// The parameters of the stream's core, where the configuration names an extension in front of it;
/// the extension's bands are above 8 kHz or so, where nothing is listened for.
///
/// # Errors
/// What people call the form of AAC that can't be read.
pub(super) fn core(params: &AudioCodecParameters) -> Result<AudioCodecParameters, String> {
    let mut core = params.clone();
    let Some(bytes) = params.extra_data.as_deref() else { return Ok(core) };
    let mut bits = Bits { bytes, at: 0 };
    let read = (|| Some((bits.object()?, bits.rate()?, bits.take(4)?)))();
    let Some((mut object, (rate, index), channels)) = read else { return Ok(core) };
    let is_extended = EXTENSIONS.contains(&object);
    if is_extended {
        let inner = (|| {
            bits.rate()?;
            bits.object()
        })();
        object = inner.unwrap_or(LOW_COMPLEXITY);
    }
    if object != LOW_COMPLEXITY {
        let name = match object {
            1 => "AAC of the main profile",
            3 => "AAC-SSR",
            4 => "AAC-LTP",
            22 => "AAC of error-resilient speech",
            23 => "AAC-LD",
            39 => "AAC-ELD",
            42 => "xHE-AAC (USAC)",
            _ => return Err(format!("MPEG-4 audio of object type {object}")),
        };
        return Err(name.to_owned());
    }
    if channels > 2 {
        return Err(format!("AAC of {} channels", if channels == 7 { 8 } else { channels }));
    }
    // A header of an MP4 file has 16 bits for the rate: what is above is known here alone.
    core.with_sample_rate(rate);
    if is_extended {
        let tail = bits.take(3).unwrap_or(0);
        let short = LOW_COMPLEXITY << 11 | index << 7 | channels << 3 | tail;
        core.with_extra_data(u16::try_from(short).unwrap_or(0).to_be_bytes().into());
    }
    Ok(core)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<(Option<u32>, Vec<u8>), String> {
        let mut params = AudioCodecParameters::new();
        params.with_sample_rate(48_000).with_extra_data(bytes.into());
        let core = core(&params)?;
        Ok((core.sample_rate, core.extra_data.unwrap_or_default().into_vec()))
    }

    #[test]
    fn an_extension_is_left_out_and_other_forms_are_named() {
        // Low complexity as it is: 44.1 kHz, two channels.
        assert_eq!(of(&[0x12, 0x10]).unwrap(), (Some(44_100), vec![0x12, 0x10]));
        // 24 kHz, one channel, with bands up to 48 kHz in front of it: once by an index, once written out.
        assert_eq!(of(&[0x2b, 0x09, 0x88, 0x00]).unwrap(), (Some(24_000), vec![0x13, 0x08]));
        let written = 5_u64 << 59 | 6 << 55 | 1 << 51 | 15 << 47 | 48_000 << 23 | 2 << 18;
        let bytes = written.to_be_bytes();
        assert_eq!(of(&bytes).unwrap(), (Some(24_000), vec![0x13, 0x08]));
        for (bytes, name) in [
            (&[0x0a, 0x10][..], "AAC of the main profile"),
            (&[0x22, 0x10], "AAC-LTP"),
            (&[0xf8, 0xe6, 0x20, 0x00], "AAC-ELD"),
            (&[0xf9, 0x46, 0x40, 0x00], "xHE-AAC (USAC)"),
            (&[0x11, 0xb0], "AAC of 6 channels"),
            (&[0x11, 0xb8], "AAC of 8 channels"),
        ] {
            assert_eq!(of(bytes).unwrap_err(), name);
        }
        // What is too short is left to the decoder.
        assert_eq!(of(&[0x2b]).unwrap().1, [0x2b]);
    }
}
