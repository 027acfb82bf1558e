//! E0277: audio in memory is not printed.
fn needs<T: std::fmt::Debug>() {}

fn main() {
    needs::<wakegate::gate::LiveAudio>();
}
