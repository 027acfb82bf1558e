//! E0451: a clip's audio is not taken out of it.
fn take(clip: wakegate::gate::IntendedClip) -> wakegate::gate::AudioBuffer {
    let wakegate::gate::IntendedClip { audio, .. } = clip;
    audio
}

fn main() {
    let _ = take;
}
