//! Fresh processes, from their start to their first verdict.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use wakegate::audio::SAMPLE_RATE;
use wakegate::gate::{Policy, Tape};
use wakegate::pipeline::Pipeline;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::bench::{Memory, StartUp};

use crate::commands::{OneModel, Outcome, output};

/// Most processes that are started.
const MOST: usize = 100;
/// Seconds of audio that the process hears before it tells its memory.
const HEARD_S: u32 = 10;
/// The line of a process that has given its verdict.
const JUDGED: &str = "judged";

/// Starts this program `count` times.
pub fn measure(model: &OneModel, count: usize) -> Result<Option<StartUp>> {
    if count > MOST {
        return Err(Error::new(ErrorKind::Settings, "--starts is refused")
            .expected(format!("0 to {MOST}"))
            .found(count.to_string()));
    }
    let runs = (0..count).map(|_| start(model)).collect::<Result<Vec<_>>>()?;
    let Some(&(_, memory)) = runs.last() else { return Ok(None) };
    let first_verdict_ms: Vec<f64> = runs.into_iter().map(|(ms, _)| ms).collect();
    let mut sorted = first_verdict_ms.clone();
    sorted.sort_by(f64::total_cmp);
    // Of an even number the later one: nothing is made to look faster than it was.
    let median_ms = sorted[sorted.len() / 2];
    Ok(Some(StartUp { first_verdict_ms, median_ms, memory }))
}

fn start(model: &OneModel) -> Result<(f64, Memory)> {
    let failed = |found: String| {
        Error::new(ErrorKind::Io, "cannot measure the start of a process")
            .found(found)
            .hint("--starts 0 leaves it out")
    };
    let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
    let mut command = Command::new(program);
    command.args(["bench", "--first-verdict"]);
    let named = [("--config", &model.config), ("--model", &model.engine.model)];
    for (option, path) in named {
        path.as_ref().map(|path| command.arg(option).arg(path));
    }
    // One from the environment is inherited anyway; an empty one is none.
    let library = model.engine.runtime.onnxruntime.as_ref();
    if let Some(library) = library.filter(|path| !path.as_os_str().is_empty()) {
        command.arg("--onnxruntime").arg(library);
    }
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let Some(stdout) = child.stdout.take() else {
        return Err(failed("no pipe".to_owned()));
    };
    let mut lines = BufReader::new(stdout).lines();
    let judged = lines.next();
    let ms = begun.elapsed().as_secs_f64() * 1e3;
    let rest = lines.next();
    let status = child.wait().map_err(|error| failed(error.to_string()))?;
    let memory = rest
        .and_then(std::result::Result::ok)
        .and_then(|line| serde_json::from_str::<Memory>(&line).ok());
    match (judged, memory) {
        (Some(Ok(line)), Some(memory)) if line == JUDGED && status.success() => Ok((ms, memory)),
        _ => Err(failed(format!("the process ended with {status}"))),
    }
}

/// What such a process does: it judges the start of a stream, says so, hears some seconds more,
/// and tells its memory.
pub fn judge_once(model: &OneModel) -> Result<Outcome> {
    let model = model.open()?;
    let mut pipeline = Pipeline::new(&model)?;
    let mut tape = Tape::new(&Policy::default());
    pipeline.judge_at(0)?;
    let (mut state, mut said) = (1_u32, false);
    let mut block = [0.0_f32; SAMPLE_RATE as usize / 50];
    for _ in 0..HEARD_S * SAMPLE_RATE / block.len() as u32 {
        for sample in &mut block {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample = 0.05 * ((state >> 8) as f32 / 8_388_608.0 - 1.0);
        }
        tape.push(&block, &mut |_, audio| drop(audio));
        let mut verdicts = 0;
        pipeline.push(&block, &mut |_| verdicts += 1)?;
        if verdicts > 0 && !said {
            output::line(format_args!("{JUDGED}"))?;
            said = true;
        }
    }
    let memory = serde_json::to_string(&Memory::now());
    let memory = memory.map_err(|error| Error::new(ErrorKind::Io, error.to_string()))?;
    output::line(format_args!("{memory}"))?;
    Ok(Outcome::AllWell)
}
