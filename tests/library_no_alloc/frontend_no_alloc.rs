//! The streaming doors of the front end allocate nothing.

use assert_no_alloc::assert_no_alloc;
use wakegate::frontend::{FrontEnd, Settings};

#[test]
fn process_into_and_flush_with_allocate_nothing() {
    for pre_emphasis in [0.0, 0.97] {
        let settings = Settings { pre_emphasis, ..Settings::default() };
        let mut front = FrontEnd::new(&settings).expect("valid");
        let audio: Vec<f32> = (0..16_000).map(|n| (n as f32 * 0.05).sin()).collect();
        let mut frames = vec![0.0; front.frames_for(audio.len()) * front.mel_bands()];
        let mut last = vec![0.0; front.mel_bands()];
        assert_no_alloc(|| {
            // The first call counts too, and so do uneven chunks, no room and a new stream.
            for chunk in [1, 160, 401, 16_000] {
                let mut written = 0;
                for part in audio.chunks(chunk) {
                    let room = &mut frames[written * last.len()..];
                    written += front.process_into(part, room).frames;
                }
                assert_eq!(written, 98);
                front.flush_with(|frame| last.copy_from_slice(frame));
                let progress = front.process_into(&audio, &mut frames[..100]);
                assert_eq!((progress.samples, progress.frames), (400 + 320 - 1, 2));
                front.reset();
            }
        });
    }
}
