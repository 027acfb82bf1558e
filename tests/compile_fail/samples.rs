//! E0624: a clip's samples are not read outside of the crate.
fn read(clip: &wakegate::gate::IntendedClip) -> &[f32] {
    clip.audio()
}

fn main() {
    let _ = read;
}
