//! The gate: 80 ms onto the tape, a verdict that wipes it, and the way through the door.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wakegate::decision::{Reason, Verdict};
use wakegate::gate::{AudioBuffer, Gate, Heard, LiveAudio, Moment, Policy, State, Tape};
use wakegate::model::{Posteriors, WakeScores};
use wakegate::pipeline::Activation;

fn heard(verdict: Verdict, end_sample: u64) -> Heard {
    let activation = Activation {
        number: end_sample,
        verdict,
        reason: Reason::Intended,
        posteriors: Posteriors::new([0.9, 0.05, 0.05]).expect("probabilities"),
        scores: WakeScores::new([0.9, 0.9]).expect("probabilities"),
        start_sample: end_sample.saturating_sub(8_000),
        end_sample,
        decided_sample: end_sample + 12_800,
        word_decided_sample: None,
        spotter_peak: Some(0.9),
    };
    Heard { wake_word: "alexa".to_owned(), model: "alexa-1".to_owned(), activation }
}

fn tape(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("gate");
    let hop = vec![0.1; 1_280];
    let mut tape = Tape::new(&Policy::default());
    group.throughput(Throughput::Elements(hop.len() as u64));
    group.bench_function("tape, 80 ms in", |bencher| {
        bencher.iter(|| tape.push(black_box(&hop), &mut |_, _| {}));
    });
    group.bench_function("tape, 1 s in and wiped", |bencher| {
        bencher.iter(|| {
            for _ in 0..13 {
                tape.push(black_box(&hop), &mut |_, _| {});
            }
            let end = tape.samples() - 12_800;
            tape.take(heard(Verdict::Accidental, end), &mut |_, _| {});
        });
    });
    group.finish();
}

fn door(criterion: &mut Criterion) {
    let policy = Policy { enabled: true, ..Policy::default() };
    let mut gate = Gate::new(policy, Box::new(|| 0.0)).expect("a valid policy");
    let state =
        State { consented: true, stored_today: 0, free_bytes: Some(u64::MAX), certified_at: None };
    let now = Moment { unix_ms: 1_700_000_000_000, steady_ms: 0, utc_offset_s: 0 };
    let audio = || {
        let mut buffer = AudioBuffer::silent(88_000);
        buffer.samples_mut().fill(0.1);
        LiveAudio { buffer, first_sample: 0 }
    };
    criterion.bench_function("gate/admit, 5.5 s", |bencher| {
        bencher.iter_batched(
            || (heard(Verdict::Intended, 24_000), audio()),
            |(heard, audio)| gate.admit(heard, audio, &state, black_box(now)).is_ok(),
            criterion::BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, tape, door);
criterion_main!(benches);
