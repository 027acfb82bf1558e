//! What holds for the front end whatever the samples, the chunks and the settings.

use proptest::prelude::*;
use wakegate::frontend::{FrontEnd, MelNorm, MelScale, Settings, WindowKind};

fn any_settings() -> impl Strategy<Value = Settings> {
    let window = prop_oneof![
        Just(WindowKind::HannPeriodic),
        Just(WindowKind::HannSymmetric),
        Just(WindowKind::HammingPeriodic),
        Just(WindowKind::HammingSymmetric),
        Just(WindowKind::Povey),
        Just(WindowKind::Rectangular),
    ];
    // Lengths in samples, down to a hop of the whole window.
    let lengths = (64usize..=512).prop_flat_map(|window| (Just(window), 16..=window));
    let scale = prop_oneof![Just(MelScale::Htk), Just(MelScale::Slaney)];
    let norm = prop_oneof![Just(MelNorm::None), Just(MelNorm::Slaney)];
    let pre_emphasis = prop_oneof![Just(0.0), 0.1..0.99];
    (window, lengths, scale, norm, pre_emphasis).prop_map(
        |(window, (samples, hop), mel_scale, mel_norm, pre_emphasis)| Settings {
            window,
            window_ms: samples as f64 / 16.0,
            hop_ms: hop as f64 / 16.0,
            mel_scale,
            mel_norm,
            pre_emphasis,
            mel_bands: 24,
            ..Settings::default()
        },
    )
}

fn any_audio(most: usize) -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-1f32..1f32, 0..most)
}

fn front(settings: &Settings) -> FrontEnd {
    FrontEnd::new(settings).expect("the strategy makes valid settings")
}

fn bits<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u32> {
    values.into_iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_chunking_gives_the_same_bits(
        settings in any_settings(),
        audio in any_audio(6000),
        chunks in prop::collection::vec(0usize..2000, 1..20),
    ) {
        let mut whole = front(&settings);
        let frames = whole.process(&audio);
        let last = whole.flush();
        let expected = bits(frames.iter().chain(&last));

        let mut front = front(&settings);
        let mut found = Vec::new();
        let mut rest = audio.as_slice();
        for &chunk in chunks.iter().cycle() {
            // A cycle of zeros alone would never end.
            let (now, later) = rest.split_at(rest.len().min(chunk.max(chunks.len() % 2 + 1)));
            found.extend(front.process(now).iter().map(|value| value.to_bits()));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        found.extend(front.flush().iter().map(|value| value.to_bits()));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn little_room_loses_nothing(
        settings in any_settings(),
        audio in any_audio(6000),
        room in 1usize..5,
        spare in 0usize..24,
    ) {
        let expected = bits(&front(&settings).process(&audio));
        let mut front = front(&settings);
        let mut frames = vec![0.0; room * front.mel_bands() + spare];
        let mut found = Vec::new();
        let mut rest = audio.as_slice();
        loop {
            let progress = front.process_into(rest, &mut frames);
            prop_assert!(progress.frames <= room);
            found.extend(bits(&frames[..progress.frames * front.mel_bands()]));
            rest = &rest[progress.samples..];
            if rest.is_empty() {
                break;
            }
            // Samples are left over only where every frame there was room for was written.
            prop_assert_eq!(progress.frames, room);
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_room_takes_samples_up_to_the_next_frame(
        settings in any_settings(),
        audio in any_audio(3000),
    ) {
        let expected = bits(&front(&settings).process(&audio));
        let mut front = front(&settings);
        let progress = front.process_into(&audio, &mut []);
        prop_assert_eq!(progress.frames, 0);
        prop_assert_eq!(progress.samples, audio.len().min(front.window_samples() - 1));
        prop_assert_eq!(bits(&front.process(&audio[progress.samples..])), expected);
    }

    #[test]
    fn frames_for_is_exact(
        settings in any_settings(),
        before in any_audio(3000),
        after in any_audio(3000),
    ) {
        let mut front = front(&settings);
        front.process_with(&before, |_| {});
        let promised = front.frames_for(after.len());
        let mut frames = 0;
        front.process_with(&after, |_| frames += 1);
        prop_assert_eq!(frames, promised);
        let (window, hop) = (front.window_samples(), front.hop_samples());
        let total = |samples: usize| (samples + hop).saturating_sub(window) / hop;
        prop_assert_eq!(frames, total(before.len() + after.len()) - total(before.len()));
    }

    #[test]
    fn reset_and_flush_start_afresh(
        settings in any_settings(),
        before in any_audio(3000),
        audio in any_audio(3000),
    ) {
        let expected = bits(&front(&settings).process(&audio));
        let mut front = front(&settings);
        front.process_with(&before, |_| {});
        front.reset();
        prop_assert_eq!(front.flush().nrows(), 0);
        prop_assert_eq!(bits(&front.process(&audio)), expected.clone());
        front.flush();
        prop_assert_eq!(bits(&front.process(&audio)), expected);
    }

    #[test]
    fn flush_is_the_frame_that_silence_would_complete(
        settings in any_settings(),
        audio in any_audio(3000),
    ) {
        let mut padded = front(&settings);
        let frames = padded.process(&audio).nrows();
        let (window, hop) = (padded.window_samples(), padded.hop_samples());
        let covered = if frames == 0 { 0 } else { (frames - 1) * hop + window };

        let mut front = front(&settings);
        front.process_with(&audio, |_| {});
        let last = front.flush();
        prop_assert_eq!(last.nrows(), usize::from(audio.len() > covered));
        if last.nrows() == 1 {
            let expected = padded.process(&vec![0.0; frames * hop + window - audio.len()]);
            prop_assert_eq!(bits(&last), bits(&expected));
        }
    }

    #[test]
    fn a_nan_stays_in_the_windows_that_hold_it(
        settings in any_settings(),
        audio in any_audio(5000),
        at in 0usize..5000,
    ) {
        let clean = front(&settings).process(&audio);
        let mut tainted = audio.clone();
        if let Some(sample) = tainted.get_mut(at) {
            *sample = f32::NAN;
        }
        let mut front = front(&settings);
        let frames = front.process(&tainted);
        // Under pre-emphasis the next sample is not a number either.
        let last = at + usize::from(settings.pre_emphasis > 0.0);
        for (index, (frame, clean)) in frames.rows().into_iter().zip(clean.rows()).enumerate() {
            let start = index * front.hop_samples();
            let end = start + front.window_samples();
            if at < audio.len() && at < end && last >= start {
                prop_assert!(frame.iter().all(|value| value.is_nan()), "frame {}", index);
            } else {
                prop_assert_eq!(bits(frame), bits(clean), "frame {}", index);
            }
        }
    }

    #[test]
    fn the_tail_of_the_output_is_neither_read_nor_written(
        settings in any_settings(),
        audio in any_audio(3000),
        tail in 1usize..100,
    ) {
        let expected = front(&settings).process(&audio);
        let mut front = front(&settings);
        let mut frames = vec![f32::NAN; expected.len() + tail];
        let progress = front.process_into(&audio, &mut frames);
        prop_assert_eq!(progress.frames, expected.nrows());
        let (written, rest) = frames.split_at(expected.len());
        prop_assert_eq!(bits(written), bits(&expected));
        prop_assert!(rest.iter().all(|value| value.is_nan()));
    }

    #[test]
    fn finite_samples_give_finite_frames_above_the_floor(
        settings in any_settings(),
        audio in any_audio(3000),
    ) {
        let mut front = front(&settings);
        let silence = front.silence_value();
        front.process_with(&audio, |frame| {
            assert!(frame.iter().all(|value| value.is_finite() && *value >= silence));
        });
    }
}

#[test]
fn silence_is_the_declared_value() {
    let mut front = front(&Settings::default());
    let silence = front.silence_value();
    assert!((f64::from(silence) - 1e-6f64.ln()).abs() < 1e-6);
    let frames = front.process(&[0.0; 4000]);
    assert_eq!(frames.nrows(), 23);
    assert!(frames.iter().all(|value| value.to_bits() == silence.to_bits()));
}

#[test]
fn a_frame_comes_with_its_hop_and_the_declared_delay() {
    let mut front = front(&Settings::default());
    assert_eq!((front.hop_samples(), front.delay_samples()), (160, 240));
    assert_eq!(front.process(&[0.1; 160 + 240 - 1]).nrows(), 0);
    assert_eq!(front.process(&[0.1]).nrows(), 1);
}
