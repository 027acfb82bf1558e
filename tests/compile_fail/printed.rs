//! E0277: a clip is not printed.
fn needs<T: std::fmt::Debug>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
