//! A file as a source of samples.

use std::time::Duration;

use super::{FileSource, State};
use wakegate::audio::{Source, Warning};
use wakegate::error::Result;

impl Source for FileSource {
    fn read(&mut self, out: &mut [f32]) -> Result<usize> {
        let mut written = 0;
        loop {
            let ready = &self.ready[self.ready_from..];
            let taken = ready.len().min(out.len() - written);
            out[written..written + taken].copy_from_slice(&ready[..taken]);
            self.ready_from += taken;
            written += taken;
            if written == out.len() {
                return Ok(written);
            }
            self.ready.clear();
            self.ready_from = 0;
            match &self.state {
                State::Ended => return Ok(written),
                // What came before an error is handed out first, whatever length is asked for.
                State::Failed(_) if written > 0 => return Ok(written),
                State::Failed(error) => return Err(error.clone()),
                State::Reading => {
                    if let Err(error) = self.advance() {
                        self.state = State::Failed(error);
                    }
                }
            }
        }
    }

    fn resampling(&self) -> Duration {
        self.resampling
    }

    fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
