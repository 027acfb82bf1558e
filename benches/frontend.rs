//! What the front end costs: 80 ms of audio, as one step of the stream, and 10 s at once.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wakegate::frontend::{FrontEnd, Settings};

/// Samples that look like nothing in particular: a 32-bit linear congruential generator.
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..samples)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect()
}

fn stream(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frontend");
    for (name, samples) in [("80 ms", 1_280), ("10 s", 160_000)] {
        for (kind, pre_emphasis) in [("plain", 0.0), ("pre-emphasis", 0.97)] {
            let settings = Settings { pre_emphasis, ..Settings::default() };
            let mut front = FrontEnd::new(&settings).expect("the default settings are valid");
            let audio = noise(samples);
            let mut frames = vec![0.0; (samples / front.hop_samples()) * front.mel_bands()];
            // From the second window on, 80 ms are exactly 8 frames.
            front.process_with(&audio[..front.delay_samples()], |_| {});
            group.throughput(Throughput::Elements((samples / front.hop_samples()) as u64));
            group.bench_function(format!("{name}, {kind}"), |bencher| {
                bencher.iter(|| front.process_into(black_box(&audio), black_box(&mut frames)));
            });
        }
    }
    group.finish();
}

fn planning(criterion: &mut Criterion) {
    let settings = Settings::default();
    criterion.bench_function("frontend/new", |bencher| {
        bencher.iter(|| FrontEnd::new(black_box(&settings)));
    });
}

criterion_group!(benches, stream, planning);
criterion_main!(benches);
