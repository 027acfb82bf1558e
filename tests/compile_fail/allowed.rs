//! Compiles: what the others differ from.
use wakegate::gate::{AudioBuffer, Gate, Heard, IntendedClip, LiveAudio, Moment, State, Stop};
use wakegate::review::{Queue, Settings, Stored};

fn admit(gate: &mut Gate, heard: Heard, samples: &[f32], state: &State, now: Moment) -> Result<IntendedClip, Stop> {
    let audio = LiveAudio { buffer: AudioBuffer::copy_of(samples), first_sample: 0 };
    gate.admit(heard, audio, state, now)
}

fn store(queue: &mut Queue, clip: IntendedClip) -> wakegate::Result<Stored> {
    queue.store(clip)
}

fn serialises<T: serde::Serialize + serde::de::DeserializeOwned + Clone + std::fmt::Debug>() {}

fn main() {
    serialises::<Settings>();
    let _ = (admit, store);
}
