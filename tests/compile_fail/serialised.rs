//! E0277: a clip is not serialised.
fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
