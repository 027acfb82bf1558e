//! The two networks and the pipeline around them, on the built-in workload of `wakegate bench`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use wakegate::frontend::FrontEnd;
use wakegate::model::Model;
use wakegate::pipeline::Pipeline;
use wakegate_lab::bench::Workload;

/// Samples of one step of 80 ms.
const STEP: usize = 1_280;

fn samples() -> Vec<f32> {
    Workload::built_in().samples().iter().map(|&s| f32::from(s) / 32_768.0).collect()
}

/// Frames of the workload, `[frames, mel_bands]` row-major.
fn frames(model: &Model) -> Vec<f32> {
    let mut front = FrontEnd::new(&model.manifest().frontend).expect("the model's settings");
    front.process(&samples()).into_raw_vec_and_offset().0
}

fn networks(criterion: &mut Criterion) {
    let model = Model::embedded().expect("the embedded model");
    let manifest = model.manifest();
    let frames = frames(&model);
    let mut spotter = model.spotter().expect("the spotter");
    let step = manifest.spotter.frames_per_step * manifest.frontend.mel_bands;
    let mut steps = frames.chunks_exact(step).cycle();
    criterion.bench_function("spotter/step, built-in", |bencher| {
        bencher.iter(|| spotter.step(black_box(steps.next().expect("a step"))));
    });
    let mut verifier = model.verifier().expect("the verifier");
    let window = manifest.window_frames() * manifest.frontend.mel_bands;
    let mut windows = frames.chunks_exact(window).cycle();
    criterion.bench_function("verifier/window, built-in", |bencher| {
        bencher.iter(|| verifier.judge(black_box(windows.next().expect("a window"))));
    });
}

fn pipeline(criterion: &mut Criterion) {
    let model = Model::embedded().expect("the embedded model");
    let samples = samples();
    let mut group = criterion.benchmark_group("pipeline");
    for (name, length) in [("80 ms, built-in", STEP), ("24 s, built-in", samples.len())] {
        let mut pipeline = Pipeline::new(&model).expect("the embedded model");
        let mut chunks = samples.chunks_exact(length).cycle();
        group.throughput(Throughput::Elements(length as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let chunk = black_box(chunks.next().expect("a chunk"));
                pipeline.push(chunk, &mut |activation| {
                    black_box(activation);
                })
            });
        });
    }
    group.bench_function("new", |bencher| bencher.iter(|| Pipeline::new(black_box(&model))));
    group.finish();
}

criterion_group!(benches, networks, pipeline);
criterion_main!(benches);
