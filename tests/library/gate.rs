//! The gate: what it lets through, what it stops and why, what it cuts.

use crate::review_support::{
    DAY_MS, HOUR_MS, HandClock, RATE, START_MS, gate, heard, intended, live, noise, open_settings,
    open_state,
};
use wakegate::decision::Verdict;
use wakegate::gate::{AudioBuffer, Clock, Gate, Heard, LiveAudio, Policy, State, Stop, Tape};
use wakegate::review::Settings;

/// Why the gate stops an activation that differs from an allowed one by `change`.
fn stop_after(change: impl FnOnce(&mut Settings, &mut State, &mut Heard)) -> Option<Stop> {
    let (mut settings, mut state, mut heard) = (open_settings(), open_state(), intended(1.0, 1.5));
    change(&mut settings, &mut state, &mut heard);
    let now = HandClock::new().now();
    let mut gate = gate(&settings);
    let result = gate.admit(heard, live(&noise(48_000, 1)), &state, now);
    let counters = gate.counters();
    match result {
        Ok(_) => {
            assert_eq!(counters.admitted(), 1);
            assert_eq!(Stop::ALL.map(|stop| counters.stopped(stop)).iter().sum::<u64>(), 0);
            None
        }
        Err(stop) => {
            assert_eq!(counters.admitted(), 0);
            for other in Stop::ALL {
                assert_eq!(counters.stopped(other), u64::from(other == stop), "{other}");
            }
            Some(stop)
        }
    }
}

#[test]
fn only_what_is_intended_allowed_and_whole_passes() {
    assert_eq!(stop_after(|_, _, _| {}), None);
    type Change = fn(&mut Settings, &mut State, &mut Heard);
    let cases: [(Stop, Change); 14] = [
        (Stop::NotAddressed, |_, _, h| *h = heard(Verdict::Accidental, 0.1, 1.0, 1.5)),
        (Stop::NotWakeWord, |_, _, h| {
            *h = heard(Verdict::Accidental, 0.1, 1.0, 1.5);
            h.activation.reason = wakegate::decision::Reason::NotWakeWord;
        }),
        (Stop::Unsure, |_, _, h| *h = heard(Verdict::Unsure, 0.7, 1.0, 1.5)),
        (Stop::Disabled, |s, _, _| s.enabled = false),
        (Stop::NoConsent, |_, state, _| state.consented = false),
        (Stop::BelowThreshold, |s, _, _| s.min_p_intended = 0.98),
        (Stop::BelowThreshold, |_, state, _| state.certified_at = Some(0.98)),
        // 10:00 UTC on the hand clock.
        (Stop::QuietHours, |s, _, _| s.quiet_hours = vec!["09:00-10:01".to_owned()]),
        (Stop::DailyCap, |s, state, _| (s.daily_cap, state.stored_today) = (3, 3)),
        (Stop::LowDisk, |s, state, _| {
            (s.min_free_mb, state.free_bytes) = (500, Some(499_999_999));
        }),
        (Stop::LowDisk, |_, state, _| state.free_bytes = None),
        (Stop::NotSampled, |s, _, _| s.sampling_rate = 0.0),
        (Stop::NoAudio, |_, _, h| h.activation.end_sample = 48_001),
        (Stop::NoAudio, |_, _, h| h.activation.end_sample = h.activation.start_sample),
    ];
    for (index, (stop, change)) in cases.into_iter().enumerate() {
        assert_eq!(stop_after(change), Some(stop), "case {index}");
    }
    // At the limits it passes.
    let limits: [Change; 3] = [
        |s, state, _| (s.daily_cap, state.stored_today) = (3, 2),
        |s, state, _| (s.min_free_mb, state.free_bytes) = (500, Some(500_000_000)),
        |s, _, _| s.min_p_intended = 0.97,
    ];
    for (index, change) in limits.into_iter().enumerate() {
        assert_eq!(stop_after(change), None, "limit {index}");
    }
}

#[test]
fn the_default_policy_lets_nothing_through() {
    let mut gate = Gate::new(Policy::default(), Box::new(|| 0.0)).unwrap();
    let result = gate.admit(
        intended(1.0, 1.5),
        live(&noise(48_000, 1)),
        &open_state(),
        HandClock::new().now(),
    );
    assert_eq!(result.err(), Some(Stop::Disabled));
}

#[test]
fn a_sample_that_is_no_number_is_not_kept() {
    for bad in [f32::NAN, f32::INFINITY] {
        let mut samples = noise(48_000, 1);
        samples[20_000] = bad;
        let now = HandClock::new().now();
        let result =
            gate(&open_settings()).admit(intended(1.0, 1.5), live(&samples), &open_state(), now);
        assert_eq!(result.err(), Some(Stop::NoAudio));
    }
}

#[test]
fn the_draw_is_held_against_the_rate() {
    let mut draws = [0.0, 0.249_999, 0.25, 0.5, f64::NAN, 0.1].into_iter();
    let policy = Policy {
        sampling_rate: 0.25,
        min_free_bytes: 0,
        ..Settings { enabled: true, ..Settings::default() }.policy().unwrap()
    };
    let mut gate = Gate::new(policy, Box::new(move || draws.next().unwrap())).unwrap();
    let passed: Vec<bool> = (0..6)
        .map(|_| {
            let audio = live(&noise(48_000, 1));
            let now = HandClock::new().now();
            gate.admit(intended(1.0, 1.5), audio, &open_state(), now).is_ok()
        })
        .collect();
    assert_eq!(passed, [true, true, false, false, false, true]);
}

#[test]
fn a_clip_is_cut_to_what_the_policy_keeps() {
    let settings = Settings { before_s: 0.25, after_s: 0.5, ..open_settings() };
    let audio = LiveAudio { buffer: AudioBuffer::copy_of(&noise(48_000, 1)), first_sample: 8_000 };
    let now = HandClock::new().now();
    let clip = gate(&settings).admit(intended(1.5, 2.0), audio, &open_state(), now);
    let clip = clip.unwrap_or_else(|stop| panic!("{stop}"));
    assert_eq!(clip.samples() as u64, RATE * 5 / 4);
    assert_eq!(clip.word(), 4_000..12_000);
}

#[test]
fn quiet_hours_follow_the_local_day() {
    let policy =
        Settings { quiet_hours: vec!["22:00-07:00".into()], ..open_settings() }.policy().unwrap();
    for (hours_after_ten, quiet) in [(0, false), (11, false), (12, true), (20, true), (21, false)] {
        let mut now = HandClock::at(START_MS + hours_after_ten * HOUR_MS).now();
        assert_eq!(policy.is_quiet(&now), quiet, "{hours_after_ten} h");
        // The same local time in another zone, whatever the day.
        now.unix_ms -= 5 * HOUR_MS + 3 * DAY_MS;
        now.utc_offset_s = 5 * 3600;
        assert_eq!(policy.is_quiet(&now), quiet, "{hours_after_ten} h, elsewhere");
    }
}

/// Runs a stream of noise through a tape, `chunk` samples at a time; each activation is handed
/// over once the samples that it was decided on have been pushed.
fn run(
    policy: &Policy,
    seconds: f64,
    heard: &[Heard],
    chunk: usize,
) -> Vec<(Heard, u64, Vec<f32>)> {
    let stream = noise((seconds * RATE as f64) as usize, 7);
    let mut tape = Tape::new(policy);
    let mut given = Vec::new();
    let mut keep = |heard: Heard, audio: LiveAudio| {
        given.push((heard, audio.first_sample, audio.buffer.samples().to_vec()));
    };
    let mut next = heard.iter().peekable();
    for part in stream.chunks(chunk) {
        tape.push(part, &mut keep);
        while let Some(heard) =
            next.next_if(|heard| heard.activation.decided_sample <= tape.samples())
        {
            tape.take(heard.clone(), &mut keep);
        }
    }
    tape.finish(&mut keep);
    given
}

#[test]
fn a_tape_gives_the_audio_around_an_intended_word() {
    let policy = open_settings().policy().unwrap();
    let stream = noise(20 * RATE as usize, 7);
    for chunk in [1, 160, 1000, 16_000, 40_000] {
        let given = run(&policy, 20.0, &[intended(6.0, 6.5)], chunk);
        assert_eq!(given.len(), 1);
        let (_, first, samples) = &given[0];
        assert_eq!(*first, 5 * RATE);
        assert_eq!(samples, &stream[5 * 16_000..(10.5 * 16_000.0) as usize], "{chunk}");
    }
}

#[test]
fn no_clip_holds_any_of_an_accidental_activation() {
    let policy = open_settings().policy().unwrap();
    let accidental = |start, end| heard(Verdict::Accidental, 0.1, start, end);
    let unsure = |start, end| heard(Verdict::Unsure, 0.6, start, end);
    for (second, kept_to) in [
        (accidental(8.0, 8.4), 8.0),
        (unsure(8.0, 8.4), 8.0),
        // After the clip's end, while it settles: nothing is cut.
        (accidental(11.0, 11.4), 10.5),
        // Begins inside of the clip and is decided after its end.
        (accidental(10.4, 11.0), 10.4),
    ] {
        let given = run(&policy, 20.0, &[intended(6.0, 6.5), second], 160);
        let (_, first, samples) = &given[0];
        let end = *first + samples.len() as u64;
        assert_eq!(end, (kept_to * RATE as f64) as u64);
        assert_eq!(given.len(), 1);
    }
    // Before the word: the clip begins where the accidental one was decided.
    let given = run(&policy, 20.0, &[accidental(4.0, 4.5), intended(6.0, 6.5)], 160);
    assert_eq!(given[0].1, (5.3 * RATE as f64) as u64);
    // Across the word: there is nothing left that the gate lets through.
    let given = run(&policy, 20.0, &[intended(6.0, 6.5), accidental(6.2, 6.9)], 160);
    let (heard, first_sample, samples) = given.into_iter().next().unwrap();
    let audio = LiveAudio { buffer: AudioBuffer::copy_of(&samples), first_sample };
    let now = HandClock::new().now();
    let result = gate(&open_settings()).admit(heard, audio, &open_state(), now);
    assert_eq!(result.err(), Some(Stop::NoAudio));
}

#[test]
fn the_end_of_a_stream_gives_what_was_heard() {
    let policy = open_settings().policy().unwrap();
    let given = run(&policy, 8.0, &[intended(6.0, 6.5)], 160);
    assert_eq!((given[0].1, given[0].2.len() as u64), (5 * RATE, 3 * RATE));
}

#[test]
fn a_tape_that_starts_over_gives_nothing_and_counts_from_there() {
    let mut tape = Tape::new(&open_settings().policy().unwrap());
    let mut never = |_: Heard, _: LiveAudio| panic!("nothing was to be given");
    tape.push(&noise(160_000, 1), &mut never);
    tape.take(intended(8.0, 8.5), &mut never);
    assert_eq!(tape.restart(500_000), [intended(8.0, 8.5)], "it comes back without audio");
    let samples = noise(160_000, 2);
    tape.push(&samples, &mut never);
    assert_eq!(tape.samples(), 660_000);
    tape.take(intended(34.0, 34.5), &mut never);
    let mut given = Vec::new();
    tape.finish(&mut |_, audio| {
        given.push((audio.first_sample, audio.buffer.samples().to_vec()));
    });
    // From a second before the word to four behind it.
    assert_eq!(given, [(528_000, samples[28_000..116_000].to_vec())]);
}

#[test]
fn a_stream_of_several_words_gives_each_its_own_audio() {
    let policy = open_settings().policy().unwrap();
    let words: Vec<Heard> =
        (0..12).map(|n| intended(3.0 + f64::from(n), 3.4 + f64::from(n))).collect();
    let given = run(&policy, 40.0, &words, 160);
    assert_eq!(given.len(), 12);
    for (heard, first, samples) in given {
        let word = heard.activation;
        assert_eq!(first, word.start_sample - RATE);
        assert!(first + samples.len() as u64 >= word.end_sample);
    }
}

#[test]
fn the_last_verdict_before_a_clip_is_given_is_the_one_that_counts() {
    let mut tape = Tape::new(&Policy { after_s: 1.0, ..Policy::default() });
    let mut clips = Vec::new();
    let mut keep = |heard: Heard, _audio| clips.push(heard);
    tape.push(&noise(48_000, 1), &mut keep);
    let (first, second) = (intended(1.0, 1.5), intended(2.0, 2.5));
    tape.take(first.clone(), &mut keep);
    tape.take(second.clone(), &mut keep);
    // The first is taken back, the second stands with another score.
    let mut surer = second;
    surer.activation.decided_sample += 6_400;
    assert!(!tape.settle(surer.clone(), &mut keep));
    let mut taken_back = heard(Verdict::Accidental, 0.1, 1.0, 1.5);
    taken_back.activation.number = first.activation.number;
    assert!(tape.settle(taken_back.clone(), &mut keep));
    assert!(!tape.settle(taken_back, &mut keep), "once");
    tape.push(&noise(64_000, 2), &mut keep);
    tape.finish(&mut keep);
    // One whose clip is given already does not come back.
    assert!(!tape.settle(surer.clone(), &mut keep));
    assert_eq!(clips, [surer]);
}
