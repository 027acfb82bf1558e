//! E0277: a reviewer's clip is not serialised.
fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<wakegate::review::LeasedClip>();
}
