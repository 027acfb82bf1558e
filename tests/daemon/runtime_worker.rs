//! The judging thread: what it says is what the pipeline says, at the source's own times.

use std::time::Duration;

use crate::cli_support::{RATE, speech_like};
use crate::daemon_support::{Fake, Opening, Rig, ear, feed, offline, plays, tiny};
use wakegate::audio::Resampler;
use wakegate::decision::Verdict;
use wakegate::pipeline::{Activation, Decision, Event, Observer, Part};
use wakegate::stream::Judge;
use wakegate_cli::daemon::{Ended, Fanout, Order, listened_word_by};

#[test]
fn a_live_stream_gives_what_the_pipeline_gives() {
    let model = tiny("verifier", 0.5);
    let samples = speech_like(12.0, 3);
    let expected = offline(&model, &samples);
    assert!(expected.len() > 3);
    let fake = Fake { ends: true, ..Fake::new([plays(samples)]) };
    let (ended, told, counters) = Rig::start(fake, ear(&model)).end();
    assert_eq!(ended, Ended::SourceEnded);
    assert_eq!(told.iter().map(|t| t.activation).collect::<Vec<_>>(), expected);
    let numbers: Vec<u64> = told.iter().map(|t| t.report["activation"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=expected.len() as u64).collect::<Vec<_>>());
    assert_eq!(counters.judged_samples.get(), 12 * RATE as u64);
    assert_eq!(counters.delay.count(), expected.len() as u64);
    assert_eq!((counters.gaps.get(), counters.lost_frames.get()), (0, 0));
}

#[test]
fn another_rate_is_converted_as_a_file_is() {
    let model = tiny("verifier", 0.5);
    let slow = speech_like(10.0, 5);
    let fast: Vec<f32> = (0..3 * slow.len())
        .map(|n| {
            let (at, part) = (n / 3, (n % 3) as f32 / 3.0);
            slow[at] * (1.0 - part) + slow.get(at + 1).unwrap_or(&0.0) * part
        })
        .collect();
    let mut resampler = Resampler::new(48_000).unwrap();
    let mut converted = Vec::new();
    resampler.push(&fast, &mut converted).unwrap();
    resampler.finish(&mut converted).unwrap();
    let expected = offline(&model, &converted);
    assert!(expected.len() > 3);
    let fake = Fake { ends: true, rate: 48_000, ..Fake::new([plays(fast)]) };
    let (_, told, _) = Rig::start(fake, ear(&model)).end();
    assert_eq!(told.iter().map(|t| t.activation).collect::<Vec<_>>(), expected);
}

#[test]
fn several_wake_words_hear_the_same_stream() {
    let [strict, lax] = [1.0, 0.001].map(|threshold| tiny("verifier", threshold));
    let samples = speech_like(12.0, 3);
    let fake = Fake { ends: true, ..Fake::new([plays(samples.clone())]) };
    let rig = Rig::start(fake, |counters| {
        let mut words = ear(&strict)(counters);
        words.extend(ear(&lax)(counters));
        words
    });
    let (_, told, counters) = rig.end();
    let count = offline(&lax, &samples).len() as u64;
    assert_eq!(told.len() as u64, 2 * count);
    assert_eq!(counters.verdicts(Verdict::Intended), count);
    assert_eq!(counters.verdicts(Verdict::Accidental), count);
}

#[test]
fn a_slow_receiver_misses_events_and_delays_nobody() {
    struct Stuck(crossbeam_channel::Receiver<()>);
    impl Observer for Stuck {
        fn on_activation(&mut self, _: &Event<'_>) {
            let _ = self.0.recv();
        }
    }
    let model = tiny("verifier", 0.5);
    let samples = speech_like(12.0, 3);
    let count = offline(&model, &samples).len() as u64;
    let (release, stuck) = crossbeam_channel::bounded(0);
    let fake = Fake { ends: true, ..Fake::new([plays(samples)]) };
    let counters = std::sync::Arc::new(wakegate_cli::daemon::Counters::default());
    let mut fanout = Fanout::default();
    let slow = fanout.add("slow", Box::new(Stuck(stuck)), 1, &counters).unwrap();
    let (quick, told) = crate::daemon_support::keeper();
    let quick = fanout.add("quick", quick, 1_000, &counters).unwrap();
    let worker = wakegate_cli::daemon::Worker::start(wakegate_cli::daemon::Work {
        input: Box::new(fake),
        audio: crate::daemon_support::audio(),
        words: ear(&model)(&counters),
        fanout,
        feed: None,
        counters: counters.clone(),
        priority: 0,
        patient: true,
    });
    let late = std::time::Instant::now() + crate::daemon_support::PATIENCE;
    assert_eq!(worker.unwrap().join(late), Some(Ended::SourceEnded));
    quick.join(late);
    assert_eq!(told.try_iter().count() as u64, count);
    // At most one is in its hands and one in its queue.
    let dropped = counters.sink("slow").dropped.get();
    assert!(dropped >= count - 2, "{dropped} of {count}");
    drop(release);
    slow.join(late);
    assert_eq!(counters.sink("slow").delivered.get() + dropped, count);
}

#[test]
fn wake_words_can_be_changed_while_the_stream_runs() {
    let model = tiny("verifier", 0.5);
    let samples = speech_like(12.0, 3);
    let half = samples[6 * RATE..].to_vec();
    let expected = offline(&model, &half);
    let (go, gone) = crossbeam_channel::bounded::<()>(0);
    let first = samples[..6 * RATE].to_vec();
    let play = Opening::Plays(Box::new(move |writer, _| {
        feed(writer, &first);
        let _ = gone.recv();
        feed(writer, &half);
    }));
    let fake = Fake { ends: true, ..Fake::new([play]) };
    let silent = |counters: &wakegate_cli::daemon::Counters| {
        let never = || Ok(Box::new(Deaf) as Box<dyn Judge + Send>);
        vec![listened_word_by("never", "deaf-1", counters, Box::new(never)).unwrap()]
    };
    let rig = Rig::start(fake, silent);
    rig.wait_until("the first half", |c| c.judged_samples.get() == 6 * RATE as u64);
    rig.worker.order(Order::Listen(ear(&model)(&rig.counters)));
    // The order is taken before the next block: the thread looks for it between any two.
    std::thread::sleep(Duration::from_millis(200));
    drop(go);
    let (_, told, _) = rig.end();
    let shifted: Vec<Activation> =
        expected.into_iter().map(|activation| activation.shifted(6 * RATE as u64)).collect();
    assert_eq!(told.iter().map(|t| t.activation).collect::<Vec<_>>(), shifted);
}

/// Hears nothing.
struct Deaf;

impl Judge for Deaf {
    fn decide(
        &mut self,
        _: &[f32],
        _: &mut dyn FnMut(Decision),
        _: &mut dyn FnMut(Part),
    ) -> wakegate::Result<()> {
        Ok(())
    }
    fn decide_rest(
        &mut self,
        _: &mut dyn FnMut(Decision),
        _: &mut dyn FnMut(Part),
    ) -> wakegate::Result<()> {
        Ok(())
    }
    fn reset(&mut self) -> wakegate::Result<()> {
        Ok(())
    }
    fn waiting(&self) -> usize {
        0
    }
}
