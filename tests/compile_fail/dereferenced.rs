//! E0277: a clip is not dereferenced.
fn needs<T: std::ops::Deref>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
