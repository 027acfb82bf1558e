//! Headerless PCM from a pipe.

use std::io::Read;

use super::Source;
use super::evenness::Evenness;
use super::form::Form;
use super::header::Look;
use super::warning::Warning;
use crate::error::{Error, ErrorKind, Result};

/// Bytes asked of the reader at once (0.25 s of audio).
const BUFFER_BYTES: usize = 8_192;

/// Raw 16 kHz mono audio, signed 16-bit little-endian, without a header: what `arecord -t raw -f
/// S16_LE -r 16000 -c 1` writes.
///
/// A read returns as soon as any sample is at hand, so that a live pipe is never held back.
pub struct RawPcm<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Its first samples may have been handed out before it has seen enough.
    look: Look,
    evenness: Evenness,
    form: Form,
    /// The first byte of a sample whose second byte has not come yet.
    half: Option<u8>,
    ended: bool,
    failed: Option<Error>,
    warnings: Vec<Warning>,
}

impl<R: Read + Send> RawPcm<R> {
    /// A source over `reader`, which is read in pieces of 8 KiB at most.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: vec![0; BUFFER_BYTES],
            look: Look::default(),
            evenness: Evenness::default(),
            form: Form::default(),
            half: None,
            ended: false,
            failed: None,
            warnings: Vec::new(),
        }
    }

    /// Reads once, into `buffer` from its start; 0 at the end.
    fn fill(&mut self, bytes: usize) -> Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[..bytes]) {
                Ok(got) => return Ok(got),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => {
                    let error = Error::new(ErrorKind::Io, "cannot read raw PCM")
                        .expected("16 kHz mono s16le samples")
                        .found(e.to_string());
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
        }
    }
}

impl<R: Read + Send> Source for RawPcm<R> {
    fn read(&mut self, out: &mut [f32]) -> Result<usize> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut written = 0;
        while written == 0 && !out.is_empty() && !self.ended {
            let wanted = (2 * out.len()).min(BUFFER_BYTES) - usize::from(self.half.is_some());
            let got = self.fill(wanted)?;
            let looked = match got {
                0 => self.look.end(),
                _ => self.look.take(&self.buffer[..got]),
            };
            looked.inspect_err(|error| self.failed = Some(error.clone()))?;
            if got == 0 {
                self.ended = true;
                if let Some(other) = self.form.end() {
                    self.warnings.push(Warning::new(
                        "another_form",
                        format!(
                            "what came is more like {other} than like signed 16-bit little-endian samples of one \
                             channel, as which it was judged: convert it, or give it a WAV header"
                        ),
                    ));
                } else if self.evenness.is_data() {
                    self.warnings.push(Warning::new(
                        "no_sound",
                        "every level is as frequent as every other, which no recording has: are they signed \
                         16-bit little-endian samples?",
                    ));
                }
                if self.half.take().is_some() {
                    self.warnings.push(Warning::new(
                        "partial_sample",
                        "the stream ends in the middle of a sample: its last byte is dropped",
                    ));
                }
            }
            self.form.take(&self.buffer[..got]);
            for &byte in &self.buffer[..got] {
                match self.half.take() {
                    None => self.half = Some(byte),
                    Some(low) => {
                        let sample = i16::from_le_bytes([low, byte]);
                        self.evenness.take(sample);
                        out[written] = f32::from(sample) / 32_768.0;
                        written += 1;
                    }
                }
            }
        }
        Ok(written)
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
