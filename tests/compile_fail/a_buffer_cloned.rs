//! E0277: audio in memory is not cloned.
fn needs<T: Clone>() {}

fn main() {
    needs::<wakegate::gate::AudioBuffer>();
}
