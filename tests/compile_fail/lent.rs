//! E0277: a clip is not lent.
fn needs<T: AsRef<[f32]>>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
