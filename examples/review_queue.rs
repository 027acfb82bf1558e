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
use wakegate::pipeline::Pipeline;
use wakegate::review::{Feed, Queue, Recorder, Settings};

fn main() -> wakegate::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| "queue".into()));
    let clock = Arc::new(SystemClock::new());
    let settings = Settings { enabled: true, ..Settings::default() };
    // Nothing is kept before somebody has agreed to it, by name.
    Queue::open(&folder, &settings, clock.clone())?.give_consent(&"Ann".parse()?)?;

    let model = Model::embedded()?;
    let (word, id) = (model.manifest().wake_word.clone(), model.manifest().id());
    let recorder = Arc::new(Recorder::start(&folder, &settings, clock, system_draw())?);
    let mut feed = Feed::new(&recorder);
    let mut pipeline = Pipeline::new(&model)?;
    let mut source = RawPcm::new(std::io::stdin());
    let mut block = [0.0; 1_600];
    loop {
        let count = source.read(&mut block)?;
        let mut found = Vec::new();
        match count {
            0 => pipeline.finish(&mut |activation| found.push(activation))?,
            _ => pipeline.push(&block[..count], &mut |activation| found.push(activation))?,
        }
        // The tape hears the samples before what they decided; an accidental word wipes it.
        let Some(feed) = &mut feed else { break };
        feed.push(&block[..count]);
        found.iter().for_each(|activation| feed.take(activation, &word, &id));
        if count == 0 {
            feed.finish();
            break;
        }
    }
    drop(feed);
    recorder.flush();
    println!("{} clips stored in {}", recorder.stored(), folder.display());
    Ok(())
}
