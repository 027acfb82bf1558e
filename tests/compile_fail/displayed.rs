//! E0277: a clip is not displayed.
fn needs<T: std::fmt::Display>() {}

fn main() {
    needs::<wakegate::gate::IntendedClip>();
}
