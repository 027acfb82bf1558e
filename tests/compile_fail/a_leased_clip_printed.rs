//! E0277: a reviewer's clip is not printed.
fn needs<T: std::fmt::Debug>() {}

fn main() {
    needs::<wakegate::review::LeasedClip>();
}
