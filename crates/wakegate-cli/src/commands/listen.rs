//! `wakegate listen`: the daemon on a microphone, or a stream to JSON lines, as they are decided.

use clap::Args;
use wakegate::Result;

use super::daemon;
use super::daemon::DaemonArguments;
#[cfg(feature = "corpora")]
use super::listen_input::InputOptions;
use super::{Engine, Outcome};

#[cfg(feature = "corpora")]
const EXAMPLES: &str = "Examples:\n  \
    wakegate listen --device \"USB PnP\" --on-intended \"logger -t wakegate heard\"\n  \
    arecord -q -f S16_LE -r 16000 -c 1 -t raw | wakegate listen --input -\n  \
    wakegate listen --wyoming tcp://127.0.0.1:10401 --upstream tcp://127.0.0.1:10400";
#[cfg(not(feature = "corpora"))]
const EXAMPLES: &str = "Examples:\n  \
    wakegate listen --device \"USB PnP\" --on-intended \"logger -t wakegate heard\"\n  \
    arecord -q -f S16_LE -r 16000 -c 1 -t raw | wakegate listen --device -\n  \
    wakegate listen --wyoming tcp://127.0.0.1:10401 --upstream tcp://127.0.0.1:10400";

/// Judge the microphone or a stream: one JSON line for each activation, as it is decided
///
/// It listens to the microphone until SIGTERM or SIGINT, and SIGHUP reads the configuration again,
/// unless it is given something else to hear. Exit code: 0 the stream ended or a signal came,
/// 1 it failed on the way, 2 could not run, 4 the judging thread panicked again and again, 5 it
/// did not end when told to.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Listen {
    #[cfg(feature = "corpora")]
    #[command(flatten)]
    input: InputOptions,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    daemon: DaemonArguments,
}

impl Listen {
    pub fn run(self) -> Result<Outcome> {
        #[cfg(feature = "corpora")]
        if let Some(input) = self.input.file()? {
            return self.input.judge(input, &self.daemon, &self.engine);
        }
        daemon::run(self.daemon, self.engine)
    }
}
