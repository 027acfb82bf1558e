//! E0624: the constructor is the gate's own.
fn build(heard: wakegate::gate::Heard, audio: wakegate::gate::AudioBuffer) -> wakegate::gate::IntendedClip {
    wakegate::gate::IntendedClip::new(heard, audio, 0..1)
}

fn main() {
    let _ = build;
}
