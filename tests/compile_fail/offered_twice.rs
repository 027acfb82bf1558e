//! E0382: what the gate was given is gone, admitted or not.
use wakegate::gate::{Gate, Heard, LiveAudio, Moment, State};

fn admit(gate: &mut Gate, heard: Heard, audio: LiveAudio, state: &State, now: Moment) -> LiveAudio {
    let _ = gate.admit(heard, audio, state, now);
    audio
}

fn main() {
    let _ = admit;
}
