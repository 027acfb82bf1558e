//! What goes wrong in the judging thread: nothing passes that was not judged, a counter says so,
//! and it goes on or ends as it should.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::cli_support::{RATE, speech_like};
use crate::daemon_support::{Fake, Opening, Rig, bomb, ear, feed, offline, plays, tiny};
use wakegate::audio::Fault;
use wakegate::decision::Verdict;
use wakegate::pipeline::Activation;
use wakegate::{Error, ErrorKind};
use wakegate_cli::daemon::{Counters, Ended, Order};

/// Frames of a ring that is short.
const RING: usize = 4_000;

/// The samples of the first `seconds` of a stream.
fn at(seconds: f64) -> usize {
    (seconds * RATE as f64) as usize
}

/// What was told, by the numbers of a stream that had nothing abandoned.
fn activations(told: &[crate::daemon_support::Told]) -> Vec<Activation> {
    told.iter().map(|told| told.activation).map(unnumbered).collect()
}

fn unnumbered(activation: Activation) -> Activation {
    Activation { number: 0, ..activation }
}

#[test]
fn nothing_is_judged_across_lost_audio() {
    let model = tiny("verifier", 0.001);
    let samples = speech_like(16.0, 3);
    let whole = offline(&model, &samples);
    // A hole in the middle of a candidate: after its word's end, before its verdict.
    let victim = whole.iter().find(|a| a.end_sample > at(6.0) as u64).unwrap();
    let cut = (victim.end_sample as usize + victim.decided_sample as usize) / 2 / 160 * 160;
    // What does not fit the ring at all is lost whatever the reader does.
    let resumed = cut + RING + 1;
    let later = offline(&model, &samples[resumed..]).into_iter();
    let expected: Vec<Activation> = whole
        .iter()
        .copied()
        .filter(|a| a.decided_sample <= cut as u64)
        .chain(later.map(|a| a.shifted(resumed as u64)))
        .collect();
    let play = Opening::Plays(Box::new(move |writer, _| {
        feed(writer, &samples[..cut]);
        writer.push(&samples[cut..resumed], |sample| sample);
        feed(writer, &samples[resumed..]);
    }));
    let fake = Fake { ends: true, ring_frames: RING, ..Fake::new([play]) };
    let (ended, told, counters) = Rig::start(fake, ear(&model)).end();
    assert_eq!(ended, Ended::SourceEnded);
    let expected: Vec<Activation> = expected.into_iter().map(unnumbered).collect();
    assert_eq!(activations(&told), expected);
    assert_eq!((counters.gaps.get(), counters.overruns.get()), (1, 1));
    assert_eq!(counters.lost_frames.get(), RING as u64 + 1);
    assert!(counters.words()[0].abandoned.get() >= 1, "the candidate in the hole is not counted");
    assert_eq!(counters.judged_samples.get(), 16 * RATE as u64 - counters.lost_frames.get());
}

#[test]
fn an_overrun_of_the_device_is_a_gap_and_what_waited_is_abandoned() {
    let model = tiny("verifier", 0.001);
    let samples = speech_like(16.0, 3);
    let whole = offline(&model, &samples);
    let victim = whole.iter().find(|a| a.end_sample > at(6.0) as u64).unwrap();
    let cut = (victim.end_sample as usize + victim.decided_sample as usize) / 2 / 160 * 160;
    let expected: Vec<Activation> = whole
        .iter()
        .copied()
        .filter(|a| a.decided_sample <= cut as u64)
        .chain(offline(&model, &samples[cut..]).into_iter().map(|a| a.shifted(cut as u64)))
        .collect();
    let play = Opening::Plays(Box::new(move |writer, _| {
        feed(writer, &samples[..cut]);
        writer.flow().report_xrun();
        feed(writer, &samples[cut..]);
    }));
    let fake = Fake { ends: true, ..Fake::new([play]) };
    let (ended, told, counters) = Rig::start(fake, ear(&model)).end();
    assert_eq!(ended, Ended::SourceEnded);
    let expected: Vec<Activation> = expected.into_iter().map(unnumbered).collect();
    assert_eq!(activations(&told), expected);
    assert_eq!((counters.gaps.get(), counters.xruns.get()), (1, 1));
    let abandoned = counters.words()[0].abandoned.get();
    assert!(abandoned >= 1, "the candidate in the hole is not counted");
    assert_eq!(counters.words()[0].candidates.get(), told.len() as u64 + abandoned);
}

#[test]
fn a_sample_that_is_no_number_costs_its_block_and_nothing_else() {
    let model = tiny("verifier", 0.001);
    let mut samples = speech_like(16.0, 3);
    let bad = at(7.0);
    let expected: Vec<Activation> = offline(&model, &samples)
        .into_iter()
        .filter(|a| a.decided_sample <= bad as u64)
        .chain(
            offline(&model, &samples[bad + 160..]).into_iter().map(|a| a.shifted(bad as u64 + 160)),
        )
        .collect();
    samples[bad + 50] = f32::NAN;
    let fake = Fake { ends: true, ..Fake::new([plays(samples)]) };
    let (ended, told, counters) = Rig::start(fake, ear(&model)).end();
    assert_eq!(ended, Ended::SourceEnded);
    let expected: Vec<Activation> = expected.into_iter().map(unnumbered).collect();
    assert_eq!(activations(&told), expected);
    assert_eq!((counters.audio_errors.get(), counters.gaps.get()), (1, 1));
}

#[test]
fn a_model_that_says_no_number_gets_no_verdict_and_the_others_go_on() {
    let (broken, sound) = (tiny("verifier_nan", 0.001), tiny("verifier", 0.001));
    let samples = speech_like(12.0, 3);
    let count = offline(&sound, &samples).len();
    let fake = Fake { ends: true, ..Fake::new([plays(samples)]) };
    let rig = Rig::start(fake, |counters| {
        let mut words = ear(&broken)(counters);
        words.extend(ear(&sound)(counters));
        words
    });
    let (ended, told, counters) = rig.end();
    assert_eq!(ended, Ended::SourceEnded);
    assert_eq!(told.len(), count, "only the sound model's");
    assert!(counters.model_errors.get() >= 3, "{}", counters.model_errors.get());
}

#[test]
fn only_broken_models_are_no_sign_of_life() {
    let broken = tiny("verifier_nan", 0.001);
    let fake = Fake { ends: true, ..Fake::new([plays(speech_like(12.0, 3))]) };
    let (_, told, counters) = Rig::start(fake, ear(&broken)).end();
    assert!(told.is_empty());
    assert!(counters.model_errors.get() > 0);
    // What could not be judged is not in the number that health and watchdog rest on.
    assert!(counters.judged_samples.get() < 12 * RATE as u64);
}

#[test]
fn a_panic_costs_what_was_heard_and_the_pipeline_is_built_anew() {
    let model = tiny("verifier", 0.001);
    let samples = speech_like(16.0, 3);
    let panicked = at(6.0);
    let expected: Vec<Activation> = offline(&model, &samples)
        .into_iter()
        .filter(|a| a.decided_sample < panicked as u64 - 160)
        .chain(
            offline(&model, &samples[panicked..]).into_iter().map(|a| a.shifted(panicked as u64)),
        )
        .collect();
    let fake = Fake { ends: true, ..Fake::new([plays(samples)]) };
    let (ended, told, counters) = Rig::start(fake, bomb(panicked, 1)).end();
    assert_eq!(ended, Ended::SourceEnded);
    assert_eq!((counters.panics.get(), counters.gaps.get()), (1, 1));
    let expected: Vec<Activation> = expected.into_iter().map(unnumbered).collect();
    assert_eq!(activations(&told), expected);
}

#[test]
fn panic_after_panic_ends_the_thread() {
    let fake = Fake { ends: true, ..Fake::new([plays(speech_like(16.0, 3))]) };
    let (ended, _, counters) = Rig::start(fake, bomb(at(0.5), usize::MAX)).end();
    assert_eq!(ended, Ended::Panicked);
    assert_eq!(counters.panics.get(), 5);
}

#[test]
fn a_card_that_is_unplugged_is_opened_again() {
    let model = tiny("verifier", 0.001);
    let samples = speech_like(10.0, 3);
    let half = at(5.0);
    let (before, after) = (samples[..half].to_vec(), samples[half..].to_vec());
    let expected: Vec<Activation> = offline(&model, &before)
        .into_iter()
        .filter(|a| a.decided_sample <= half as u64)
        .chain(offline(&model, &after).into_iter().map(|a| a.shifted(half as u64)))
        .filter(|a| a.decided_sample <= samples.len() as u64)
        .collect();
    let unplugged = Opening::Plays(Box::new(move |writer, faults| {
        feed(writer, &before);
        while writer.room() < 32_000 {
            std::thread::sleep(Duration::from_millis(1));
        }
        let gone = Fault { fatal: true, message: "the device is gone".into(), hint: "plug it in" };
        faults.push(gone).unwrap();
    }));
    let fake = Fake::new([Opening::Refused, unplugged, Opening::Refused, plays(after)]);
    let tried = Arc::clone(&fake.tried);
    let rig = Rig::start(fake, ear(&model));
    rig.wait_until("the second half", |c| c.judged_samples.get() == 10 * RATE as u64);
    rig.worker.order(Order::Stop);
    let (ended, told, counters) = rig.end();
    assert_eq!(ended, Ended::Stopped);
    let expected: Vec<Activation> = expected.into_iter().map(unnumbered).collect();
    assert_eq!(activations(&told), expected);
    assert_eq!(counters.opened.get(), 2);
    assert_eq!(counters.device_faults.get(), 3);
    assert_eq!(tried.load(Ordering::Relaxed), 4);
}

#[test]
fn a_card_that_falls_silent_is_opened_again() {
    let model = tiny("verifier", 0.001);
    let samples = speech_like(4.0, 3);
    let fake = Fake::new([plays(samples.clone()), plays(samples)]);
    let rig = Rig::start(fake, ear(&model));
    rig.wait_until("both halves", |c| c.judged_samples.get() == 8 * RATE as u64);
    rig.wait_until("the second silence", |c| c.device_faults.get() >= 2);
    // The fault is counted before the silence is told.
    rig.wait_until("that nothing flows", |c| !c.is_flowing());
    rig.worker.order(Order::Stop);
    let (_, _, counters) = rig.end();
    assert_eq!(counters.opened.get(), 2);
}

#[test]
fn a_stop_in_the_middle_of_a_candidate_passes_nothing() {
    let model = tiny("verifier", 0.001);
    let samples = speech_like(16.0, 3);
    let whole = offline(&model, &samples);
    let victim = whole.iter().find(|a| a.end_sample > at(6.0) as u64).unwrap();
    let cut = (victim.end_sample as usize + victim.decided_sample as usize) / 2 / 160 * 160;
    let before = whole.iter().filter(|a| a.decided_sample <= cut as u64).count();
    let rig = Rig::start(Fake::new([plays(samples[..cut].to_vec())]), ear(&model));
    rig.wait_until("the candidate", |c| c.judged_samples.get() == cut as u64);
    rig.worker.order(Order::Stop);
    let (ended, told, counters) = rig.end();
    assert_eq!(ended, Ended::Stopped);
    assert_eq!(told.len(), before);
    assert!(counters.words()[0].abandoned.get() >= 1);
    assert_eq!(counters.verdicts(Verdict::Intended), before as u64);
}

#[test]
fn an_impatient_worker_says_why_the_device_can_t_be_opened() {
    let model = tiny("verifier", 0.001);
    let counters = Arc::new(Counters::default());
    let worker = wakegate_cli::daemon::Worker::start(wakegate_cli::daemon::Work {
        input: Box::new(Fake::new([Opening::Refused])),
        audio: crate::daemon_support::audio(),
        words: ear(&model)(&counters),
        fanout: wakegate_cli::daemon::Fanout::default(),
        feed: None,
        counters: counters.clone(),
        priority: 0,
        patient: false,
    });
    let late = std::time::Instant::now() + crate::daemon_support::PATIENCE;
    let busy = Error::new(ErrorKind::Device, "the fake is busy").hint("wait");
    assert_eq!(worker.unwrap().join(late), Some(Ended::SourceFailed(busy)));
}
