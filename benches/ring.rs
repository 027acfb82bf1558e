//! What the sound card's callback costs: 10 ms of audio into the ring, and out again.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wakegate::audio::ring::{Channel, ring};

fn callback(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ring");
    for (name, channels, channel) in [
        ("mono", 1, Channel::Mix),
        ("8 channels, mixed", 8, Channel::Mix),
        ("8 channels, one", 8, Channel::One(3)),
    ] {
        let block = vec![1_000_i16; 480 * channels];
        let (mut writer, mut reader) = ring(96_000, channels, channel).expect("a valid ring");
        let mut out = Vec::with_capacity(480);
        group.throughput(Throughput::Elements(480));
        group.bench_function(format!("10 ms at 48 kHz, {name}"), |bencher| {
            bencher.iter(|| {
                writer.push(black_box(&block), |sample| f32::from(sample) / 32_768.0);
                reader.pop(&mut out)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, callback);
criterion_main!(benches);
