//! E0308: the queue takes nothing that did not come through the gate.
fn store(queue: &mut wakegate::review::Queue, audio: wakegate::gate::LiveAudio) {
    let _ = queue.store(audio);
}

fn main() {
    let _ = store;
}
