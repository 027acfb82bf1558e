//! Decoding, corpora, evaluation and benchmarks.

#[path = "../support/audio.rs"]
mod audio;
#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/corpus/mod.rs"]
mod corpus_support;
#[path = "../support/skip.rs"]
mod skip;

mod activation_json;
mod audio_decode;
mod audio_forms;
mod audio_in_memory;
mod audio_matrix;
mod audio_raw;
mod audio_resample;
mod bench_harness;
mod corpus_archives;
mod corpus_forms;
mod corpus_inputs;
mod eval_blocks;
mod eval_certify;
mod eval_golden;
mod eval_properties;
mod pipeline_phases;
mod pipeline_word;
