//! E0451: a clip is not built by naming its fields.
fn build(heard: wakegate::gate::Heard, audio: wakegate::gate::AudioBuffer) -> wakegate::gate::IntendedClip {
    wakegate::gate::IntendedClip { heard, audio, word_start: 0, word_end: 1 }
}

fn main() {
    let _ = build;
}
