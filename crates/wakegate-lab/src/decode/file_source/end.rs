//! The end of a recording: what is still inside, and what there is to say.

use super::{FileSource, State};
use crate::decode::container::cannot_decode;
use wakegate::audio::{SAMPLE_RATE, Warning};
use wakegate::error::Result;

impl FileSource {
    pub(super) fn stopped(&mut self, reason: &str) {
        let time = self.time();
        if self.decoded_any {
            let text = format!("decoding stopped at {time:.3} s: {reason}");
            self.damage.note(Warning::new("stopped", text));
        } else {
            self.damage.packet_failed(time, reason.to_owned());
        }
    }

    /// Flushes what is inside and draws up the warnings.
    pub(super) fn end(&mut self) -> Result<()> {
        if !self.decoded_any {
            return Err(match self.damage.reason() {
                Some(reason) => {
                    cannot_decode(&self.path).expected("at least 1 sample").found(reason)
                }
                None => cannot_decode(&self.path)
                    .expected("at least 1 sample")
                    .found("a file that holds no samples")
                    .hint("the recording may have been stopped before it was written"),
            });
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut self.ready)?;
        }
        let (time, rate) = (self.time(), self.form.map_or(SAMPLE_RATE, |form| form.rate));
        let cut_short = match self.promised {
            Some(promised) if promised > self.position + self.cut.left_out() => Some(format!(
                "its header promises {:.3} s, it holds {time:.3} s",
                promised as f64 / f64::from(rate)
            )),
            None if self.broke_off => Some(format!("it breaks off at {time:.3} s, before its end")),
            _ => None,
        };
        let held = self.position + self.cut.left_out();
        let damage = &mut self.damage;
        if let Some(promised) = self.promised.filter(|promised| *promised < held)
            && !damage.has_note("more_than_promised")
        {
            let said = promised as f64 / f64::from(rate);
            let text =
                format!("its header promises {said:.3} s, it holds {time:.3} s: all of it is read");
            damage.note(Warning::new("more_than_promised", text));
        }
        if let Some(how) = cut_short {
            damage.note(Warning::new("cut_short", format!("the file is cut short: {how}")));
        }
        let others = self.demuxer.warnings().into_iter();
        others
            .chain(self.cut.warning(rate))
            .chain(self.mixer.warning())
            .for_each(|w| damage.note(w));
        self.warnings = std::mem::take(damage).into_warnings();
        self.state = State::Ended;
        Ok(())
    }
}
