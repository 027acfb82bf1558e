//! E0277: audio in memory is not serialised.
fn needs<T: serde::Serialize>() {}

fn main() {
    needs::<wakegate::gate::AudioBuffer>();
}
