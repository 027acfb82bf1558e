//! Files to 16 kHz samples: four seconds of the built-in workload of `wakegate bench` in the
//! forms that corpora come in.

#[path = "../tests/support/audio.rs"]
mod audio;

use std::fs;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wakegate_lab::bench::Workload;

/// Samples of four seconds.
const COUNT: usize = 64_000;

fn decode(criterion: &mut Criterion) {
    let built_in = Workload::built_in();
    let mono: Vec<f32> =
        built_in.samples()[..COUNT].iter().map(|&s| f32::from(s) / 32_768.0).collect();
    // Three device samples for one, twice: the same signal in stereo.
    let stereo: Vec<f32> = mono.iter().flat_map(|&sample| [sample; 6]).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(COUNT as u64));
    for (name, bytes) in [
        ("4 s, wav, 16 kHz mono", audio::wav_i16(&mono, 1, 16_000)),
        ("4 s, wav, 48 kHz stereo", audio::wav_i16(&stereo, 2, 48_000)),
        ("4 s, flac, 16 kHz mono", audio::flac(&mono, 1, 16_000)),
        ("4 s, opus, mono", audio::opus(&mono, 1, 0, 20)),
    ] {
        let path = folder.path().join("recording");
        fs::write(&path, bytes).expect("a file");
        group.bench_function(name, |bencher| {
            bencher.iter(|| audio::decode(black_box(&path)).expect("audio").0.len());
        });
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
