//! What makers embed: samples to verdicts, the gate and the queue.

#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/disk/mod.rs"]
mod disk_support;
#[path = "../support/review/mod.rs"]
mod review_support;
#[path = "../support/skip.rs"]
mod skip;

mod architecture;
mod capture_alsa;
mod decision_properties;
mod frontend_golden;
mod frontend_properties;
mod gate;
mod gate_compile_fail;
mod intervals;
mod model_package;
mod pipe;
mod pipeline_early;
mod pipeline_faults;
mod review_attacks;
mod review_carved;
mod review_clock;
mod review_disk;
mod review_queue;
mod review_recorder;
mod ring;
