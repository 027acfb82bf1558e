//! E0277: a clip is not copied.
fn needs<T: Copy>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
