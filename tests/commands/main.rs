//! The commands, run as a user runs them.

#[path = "../support/audio.rs"]
mod audio;
#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/corpus/mod.rs"]
mod corpus_support;
#[path = "../support/long/mod.rs"]
mod long_support;
#[path = "../support/review/mod.rs"]
mod review_support;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/web/mod.rs"]
mod web_support;

mod cli_bad_input;
mod cli_bench;
mod cli_config;
mod cli_corpora;
mod cli_demo;
mod cli_documents;
mod cli_eval;
mod cli_eval_forms;
mod cli_features;
mod cli_ffmpeg;
mod cli_long;
mod cli_memory;
mod cli_mix;
mod cli_resume;
mod cli_review;
mod cli_review_serve;
mod cli_score;
mod no_telemetry;
mod packaging;
mod pipeline_equality;
mod runtime_equality;
