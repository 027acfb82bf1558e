//! Keeps what was meant for the device, encrypted, for a person to review: raw PCM on standard
//! input (16 kHz, mono, signed 16 bit, little-endian), a folder for the queue as the argument.
//!
//! ```console
//! $ cargo run --release --features review --example review_queue -- /tmp/queue < recording.raw
//! ```

use std::path::PathBuf;
use std::sync::Arc;

use wakegate::audio::{RawPcm, Source};
use wakegate::gate::{SystemClock, system_draw};
use wakegate::model::Model;
use wakegate::review::{Feed, Queue, Recorder, Settings};
use wakegate::stream::Stream;

fn main() -> wakegate::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "queue".into()));
    let clock = Arc::new(SystemClock::new());
    let settings = Settings { enabled: true, ..Settings::default() };
    // Nothing is kept before somebody has agreed to it, by name.
    Queue::open(&folder, &settings, clock.clone())?.give_consent(&"Ann".parse()?)?;

    let recorder = Arc::new(Recorder::start(&folder, &settings, clock, system_draw())?);
    let mut stream = Stream::of(&Model::embedded()?)?;
    stream.keep(Feed::new(&recorder));
    let mut source = RawPcm::new(std::io::stdin());
    let mut block = [0.0; 1_600];
    loop {
        match source.read(&mut block)? {
            0 => break stream.finish(&mut |_, _| true)?,
            count => stream.push(&block[..count], &mut |_, _| true)?,
        }
    }
    drop(stream);
    recorder.flush();
    println!("{} clips stored in {}", recorder.stored(), folder.display());
    Ok(())
}
