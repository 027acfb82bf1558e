//! E0277: a reviewer's clip is not cloned.
fn needs<T: Clone>() {}

fn main() {
    needs::<wakegate::review::LeasedClip>();
}
