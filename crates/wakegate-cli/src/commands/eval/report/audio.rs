//! Short pieces of recordings as data: URIs.

use std::path::Path;

use wakegate::audio::{SAMPLE_RATE, Source};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::FileSource;

use crate::wav;

/// Most seconds of one piece.
pub const MOST_S: f64 = 4.0;

/// From `start_s` on, at most [`MOST_S`] seconds of the recording at `path`, as a WAV in a URI.
///
/// # Errors
/// Those of the recording; nothing there is one too.
pub fn piece(path: &Path, start_s: f64) -> Result<String> {
    let rate = f64::from(SAMPLE_RATE);
    let mut source = FileSource::open(path)?;
    let mut skip = (start_s.max(0.0) * rate) as usize;
    let mut block = vec![0.0; SAMPLE_RATE as usize];
    while skip > 0 {
        let room = block.len().min(skip);
        match source.read(&mut block[..room])? {
            0 => break,
            count => skip -= count,
        }
    }
    let mut samples = vec![0.0; (MOST_S * rate) as usize];
    let mut filled = 0;
    while filled < samples.len() {
        match source.read(&mut samples[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    if filled == 0 {
        return Err(Error::new(ErrorKind::Audio, "there is nothing to hear")
            .expected(format!("a recording of more than {start_s:.2} s"))
            .found("its end"));
    }
    Ok(format!(
        "data:audio/wav;base64,{}",
        base64(&wav::bytes(&samples[..filled], wav::SampleFormat::Int16))
    ))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit > three.len() { '=' } else { char::from(DIGITS[index as usize]) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let found = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|t| base64(t.as_bytes()));
        assert_eq!(found, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }
}
