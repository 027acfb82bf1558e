//! The `wakegate` command line: parses and dispatches.
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used))]

use std::process::ExitCode;

use clap::Parser;
use wakegate_cli::commands;

fn main() -> ExitCode {
    // SAFETY: the first statement of a program that has started no thread, so nothing can
    // read the environment at the same time. It must come before ONNX Runtime is loaded.
    unsafe { std::env::set_var(wakegate::model::TELEMETRY_VARIABLE, "1") };
    commands::log::quiet_when_caught();
    commands::run(commands::Arguments::parse())
}
