//! What `make instructions` runs under callgrind: some steps of the front end, the spotter, the
//! verifier and the pipeline, each in a function of its own that callgrind collects.

use std::hint::black_box;

use wakegate::audio::SAMPLE_RATE;
use wakegate::frontend::FrontEnd;
use wakegate::model::{Model, SpotterSession, VerifierSession};
use wakegate::pipeline::Pipeline;
use wakegate_lab::bench::Workload;

/// Calls of each function; `benches/instructions.sh` divides by it.
const CALLS: usize = 20;
/// Samples of one step of 80 ms.
const STEP: usize = 1_280;

#[inline(never)]
fn front_end_step(front: &mut FrontEnd, samples: &[f32], frames: &mut [f32]) {
    black_box(front.process_into(black_box(samples), frames).frames);
}

#[inline(never)]
fn spotter_step(spotter: &mut SpotterSession, features: &[f32]) {
    black_box(spotter.step(black_box(features)).expect("a posterior"));
}

#[inline(never)]
fn verifier_window(verifier: &mut VerifierSession, window: &[f32]) {
    black_box(verifier.judge(black_box(window)).expect("a verification"));
}

#[inline(never)]
fn pipeline_second(pipeline: &mut Pipeline, samples: &[f32]) {
    let mut show = |activation| {
        black_box(activation);
    };
    pipeline.push(black_box(samples), &mut show).expect("a pipeline");
}

fn main() {
    let model = Model::embedded().expect("the embedded model");
    let manifest = model.manifest();
    let audio: Vec<f32> =
        Workload::built_in().samples().iter().map(|&s| f32::from(s) / 32_768.0).collect();
    let mut front = FrontEnd::new(&manifest.frontend).expect("the model's settings");
    let frames: Vec<f32> = front.process(&audio).iter().copied().collect();

    front.reset();
    let mut out = vec![0.0; 16 * front.mel_bands()];
    // The first step has fewer frames than the others.
    let (first, rest) = audio.split_at(STEP);
    black_box(front.process_into(first, &mut out).frames);
    for samples in rest.chunks_exact(STEP).take(CALLS) {
        front_end_step(&mut front, samples, &mut out);
    }

    let mut spotter = model.spotter().expect("the spotter");
    let step = manifest.spotter.frames_per_step * manifest.frontend.mel_bands;
    // What is set up once belongs to nobody's step.
    let (first, rest) = frames.split_at(step);
    black_box(spotter.step(first).expect("a posterior"));
    for features in rest.chunks_exact(step).take(CALLS) {
        spotter_step(&mut spotter, features);
    }

    let mut verifier = model.verifier().expect("the verifier");
    let window = manifest.window_frames() * manifest.frontend.mel_bands;
    black_box(verifier.judge(&frames[..window]).expect("a verification"));
    for call in 0..CALLS {
        verifier_window(&mut verifier, &frames[call * step..][..window]);
    }

    let mut pipeline = Pipeline::new(&model).expect("the embedded model");
    let (first, rest) = audio.split_at(2 * STEP);
    pipeline.push(first, &mut |_| {}).expect("a pipeline");
    // Long enough for some words, and what is done for their decisions.
    for samples in rest.chunks_exact(SAMPLE_RATE as usize).take(CALLS) {
        pipeline_second(&mut pipeline, samples);
    }
    println!("{CALLS}");
}
