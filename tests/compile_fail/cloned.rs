//! E0277: a clip is not cloned.
fn needs<T: Clone>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
