//! E0382: a clip is stored once.
fn store(queue: &mut wakegate::review::Queue, clip: wakegate::gate::IntendedClip) {
    let _ = queue.store(clip);
    let _ = queue.store(clip);
}

fn main() {
    let _ = store;
}
