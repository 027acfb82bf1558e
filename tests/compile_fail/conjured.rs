//! E0277: a clip is not conjured.
fn needs<T: Default>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
