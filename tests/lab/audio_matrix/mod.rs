//! Forms as other programs write them, against what ffmpeg makes of the same files: length, place
//! of the word, and what the model says of it. Without ffmpeg, all of it is skipped.

mod codecs;
mod damage;
mod samples;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use wakegate::audio::{Samples, Source, read_all};
use wakegate::model::Model;
use wakegate_lab::decode::FileSource;
use wakegate_lab::scoring::Scorer;

/// Samples a second of everything that is compared.
const RATE: f64 = 16_000.0;
/// A difference in length or place that a rate's rounding explains, in s.
const NEAR: f64 = 0.006;

/// One form: a name for people, what writes it, and how the file ends.
struct Form {
    name: String,
    tool: &'static str,
    arguments: Vec<String>,
    ending: &'static str,
}

/// A folder with the recording that all forms are made of.
struct Bench {
    folder: TempDir,
    scorer: Scorer,
    /// The model's posterior of the recording itself.
    sure: f32,
    checked: usize,
    wrong: Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn is_installed(tool: &str) -> bool {
    let quiet = Stdio::null;
    Command::new(tool)
        .arg("--version")
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .status()
        .is_ok()
}

impl Bench {
    /// None where `tools` are not installed, which is told for `test`.
    fn new(test: &str, tools: &[&str]) -> Option<Self> {
        if let Some(tool) = tools.iter().find(|tool| !is_installed(tool)) {
            crate::skip::skipped(test, &format!("{tool} is not installed"));
            return None;
        }
        let folder = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/alexa_lights.flac");
        let status = Command::new("ffmpeg")
            .args(words("-nostdin -v error -i"))
            .arg(source)
            .args(words("-t 2.2 -bitexact"))
            .arg(folder.path().join("source.wav"))
            .status();
        assert!(status.unwrap().success());
        let model = Model::embedded().unwrap();
        let mut bench = Self {
            folder,
            scorer: Scorer::new(&model, true).unwrap(),
            sure: 0.0,
            checked: 0,
            wrong: Vec::new(),
        };
        let samples = bench.decode(&bench.path("source.wav")).unwrap().0;
        bench.sure = bench.posterior(samples);
        assert!(bench.sure >= model.manifest().decision.intended_at, "{}", bench.sure);
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn decode(&self, path: &Path) -> wakegate::Result<(Vec<f32>, Vec<String>)> {
        let mut source = FileSource::open(path)?;
        let samples = read_all(&mut source)?;
        Ok((samples, source.warnings().iter().map(|warning| warning.code.to_string()).collect()))
    }

    fn posterior(&mut self, samples: Vec<f32>) -> f32 {
        let mut source = Samples::new(samples, 16_000, 1).unwrap();
        let scored = self.scorer.score(&mut source, None).unwrap();
        scored.best().map_or(0.0, |best| best.posteriors.intended())
    }

    /// What ffmpeg makes of the file at `path`.
    fn reference(&self, path: &Path) -> Vec<f32> {
        let output = Command::new("ffmpeg")
            .args(words("-nostdin -v quiet -i"))
            .arg(path)
            .args(words("-vn -ac 1 -ar 16000 -f f32le -"))
            .output()
            .unwrap();
        output.stdout.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    }

    /// Writes a form; false where the program has no encoder for it.
    fn make(&self, form: &Form) -> Option<PathBuf> {
        let path = self.path(&format!("form.{}", form.ending));
        let _ = fs::remove_file(&path);
        let mut command = Command::new(form.tool);
        match form.tool {
            "ffmpeg" => command
                .args(words("-nostdin -v error -y -i source.wav"))
                .args(&form.arguments)
                .arg(&path),
            "flac" => {
                command.args(&form.arguments).args(words("-s -f -o")).arg(&path).arg("source.wav")
            }
            // lame and sox.
            _ => command.arg("source.wav").args(&form.arguments).arg(&path),
        };
        let made = command.current_dir(self.folder.path()).stderr(Stdio::null()).status().unwrap();
        (made.success() && path.is_file()).then_some(path)
    }

    fn check(&mut self, form: &Form) {
        let Some(path) = self.make(form) else {
            crate::skip::skipped(&form.name, &format!("{} does not write it here", form.tool));
            return;
        };
        self.checked += 1;
        let wanted = self.reference(&path);
        if let Err(wrong) = self.compare(&path, &wanted) {
            self.wrong.push(format!("{}: {wrong}", form.name));
        }
    }

    fn compare(&mut self, path: &Path, wanted: &[f32]) -> Result<(), String> {
        let (got, warnings) = self.decode(path).map_err(|error| error.to_string())?;
        if !warnings.is_empty() {
            return Err(format!("warnings {warnings:?}"));
        }
        let difference = (got.len() as f64 - wanted.len() as f64) / RATE;
        // Encoders fill up their last frame, of which some decoders leave more than others; an
        // edit list says how much of it is sound.
        if !(-0.05..0.13).contains(&difference) {
            return Err(format!("{difference:.4} s longer than {} samples", wanted.len()));
        }
        let late = lag(wanted, &got) as f64 / RATE;
        if late.abs() > NEAR {
            return Err(format!("{late:.4} s late"));
        }
        let sure = self.posterior(got);
        let reference = self.posterior(wanted.to_vec());
        if (sure - reference).abs() > 0.1 && sure < self.sure - 0.1 {
            return Err(format!("p_intended {sure:.3}, of ffmpeg's samples {reference:.3}"));
        }
        Ok(())
    }

    /// Fails with all that was wrong.
    fn end(self, most_checked: &AtomicUsize) {
        most_checked.fetch_add(self.checked, Ordering::Relaxed);
        println!("{} forms", self.checked);
        assert!(
            self.wrong.is_empty(),
            "{} of {}:\n{}",
            self.wrong.len(),
            self.checked,
            self.wrong.join("\n")
        );
    }
}

/// By how many samples `got` is late against `wanted`, up to 20 ms either way; what is later is at
/// the end of that.
fn lag(wanted: &[f32], got: &[f32]) -> i64 {
    let at = |samples: &[f32], place: i64| {
        usize::try_from(place).ok().and_then(|p| samples.get(p)).copied().unwrap_or(0.0)
    };
    let alike = |lag: i64, step: usize| -> f64 {
        let places = (0..wanted.len() as i64).step_by(step);
        places.map(|n| f64::from(at(wanted, n)) * f64::from(at(got, n + lag))).sum()
    };
    (-320..=320).max_by_key(|lag| (alike(*lag, 11) * 1e6) as i64).unwrap()
}

fn forms(
    container: &str,
    ending: &'static str,
    codecs: &[&str],
    rates: &[u32],
    channels: &[u32],
) -> Vec<Form> {
    let mut forms = Vec::new();
    for codec in codecs {
        for rate in rates {
            for channels in channels {
                let arguments =
                    words(&format!("-c:a {codec} -ar {rate} -ac {channels} {container}"));
                let name = format!(".{ending}: {}", arguments.join(" "));
                forms.push(Form { name, tool: "ffmpeg", arguments, ending });
            }
        }
    }
    forms
}

static CHECKED: AtomicUsize = AtomicUsize::new(0);

fn all(test: &str, tools: &[&str], forms: &[Form]) {
    let Some(mut bench) = Bench::new(test, tools) else { return };
    forms.iter().for_each(|form| bench.check(form));
    bench.end(&CHECKED);
}
