//! What headerless recordings hold, in the same words for every command that reads them.

use clap::Args;
use wakegate::Result;
use wakegate::audio::SAMPLE_RATE;
use wakegate_lab::decode::{Encoding, RawForm};

#[derive(Args)]
pub struct RawOptions {
    /// Take files that end in .raw, .pcm, .s16, .ulaw, .ul, .mulaw, .alaw or .al for headerless:
    /// s16le, ulaw, alaw, u8, s8, s16be, s24le, s24be, s32le, s32be, f32le, f32be, f64le, f64be
    #[arg(long, value_name = "ENCODING")]
    raw: Option<Encoding>,
    /// Their samples a second
    #[arg(long, value_name = "HZ", default_value_t = SAMPLE_RATE, requires = "raw")]
    raw_rate: u32,
    /// Their channels
    #[arg(long, value_name = "N", default_value_t = 1, requires = "raw")]
    raw_channels: u16,
}

impl RawOptions {
    /// The form, where one is named.
    pub fn form(&self) -> Result<Option<RawForm>> {
        let form = |encoding| RawForm::new(encoding, self.raw_rate, self.raw_channels);
        self.raw.map(form).transpose()
    }

    /// The same as text; nothing where none is named.
    pub fn describe(&self) -> Option<String> {
        self.raw.map(|encoding| format!("{encoding} {} {}", self.raw_rate, self.raw_channels))
    }
}
