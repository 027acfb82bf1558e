//! Forms as other programs write them, against what ffmpeg makes of the same files: length, place
//! of the word, and what the model says of it. Without ffmpeg, all of it is skipped.

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
        assert!(bench.sure > 0.9, "{}", bench.sure);
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

#[test]
fn wav_of_every_kind() {
    let pcm = [
        "pcm_u8",
        "pcm_s16le",
        "pcm_s24le",
        "pcm_s32le",
        "pcm_f32le",
        "pcm_f64le",
        "pcm_alaw",
        "pcm_mulaw",
    ];
    let adpcm = ["adpcm_ima_wav", "adpcm_ms"];
    let mut list = forms("-f wav", "wav", &pcm, &[8_000, 16_000, 44_100, 48_000], &[1, 2]);
    list.extend(forms("-f wav", "wav", &adpcm, &[8_000, 11_025, 22_050, 44_100], &[1, 2]));
    list.extend(forms(
        "-f wav -rf64 always",
        "wav",
        &["pcm_s16le", "pcm_s24le", "pcm_f32le"],
        &[16_000, 96_000],
        &[1, 6],
    ));
    list.extend(forms(
        "-f w64",
        "w64",
        &["pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_alaw"],
        &[16_000, 48_000],
        &[1, 2],
    ));
    list.extend(forms(
        "-f wav -write_bext 1 -metadata title=x",
        "wav",
        &["pcm_s16le"],
        &[16_000, 22_050, 32_000],
        &[1],
    ));
    list.extend(forms("-f wav", "wav", &["libmp3lame"], &[16_000, 44_100], &[1, 2]));
    all("wav_of_every_kind", &["ffmpeg"], &list);
}

#[test]
fn other_headers_in_front_of_pcm() {
    let big = [
        "pcm_s8",
        "pcm_s16be",
        "pcm_s24be",
        "pcm_s32be",
        "pcm_f32be",
        "pcm_f64be",
        "pcm_alaw",
        "pcm_mulaw",
    ];
    let mut list = forms("-f aiff", "aiff", &big, &[8_000, 44_100], &[1, 2]);
    list.extend(forms("-f au", "au", &big, &[8_000, 48_000], &[1, 2]));
    list.extend(forms("-f aiff", "aifc", &["pcm_s16le"], &[16_000], &[1, 2]));
    list.extend(forms(
        "-f caf",
        "caf",
        &["pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_f32be", "pcm_mulaw", "alac"],
        &[16_000, 44_100],
        &[1, 2],
    ));
    list.extend(forms(
        "-f mov",
        "mov",
        &[
            "pcm_s16be",
            "pcm_s16le",
            "pcm_s24be",
            "pcm_s24le",
            "pcm_s32be",
            "pcm_f32be",
            "pcm_f32le",
            "pcm_f64be",
            "pcm_alaw",
            "pcm_mulaw",
            "pcm_u8",
        ],
        &[16_000, 48_000],
        &[1, 2],
    ));
    list.extend(forms(
        "-f matroska",
        "mka",
        &["pcm_s16le", "pcm_s24le", "pcm_f32le"],
        &[16_000, 44_100],
        &[1],
    ));
    all("other_headers_in_front_of_pcm", &["ffmpeg"], &list);
}

#[test]
fn mpeg_audio() {
    let rates = [16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
    let mut list = forms("-b:a 64k", "mp3", &["libmp3lame"], &rates, &[1, 2]);
    list.extend(forms("-q:a 4", "mp3", &["libmp3lame"], &[8_000, 16_000, 44_100], &[1, 2]));
    list.extend(forms(
        "-q:a 4 -write_xing 0 -id3v2_version 0",
        "mp3",
        &["libmp3lame"],
        &[16_000, 44_100],
        &[1, 2],
    ));
    list.extend(forms(
        "-id3v2_version 3 -metadata title=Ünïcödé -write_id3v1 1",
        "mp3",
        &["libmp3lame"],
        &[44_100],
        &[1],
    ));
    list.extend(forms("-b:a 64k", "mp2", &["mp2"], &[16_000, 24_000, 32_000, 44_100], &[1, 2]));
    list.extend(forms("-f matroska", "mka", &["libmp3lame"], &[44_100], &[1, 2]));
    list.extend(forms("-f mp4", "mp4", &["libmp3lame"], &[44_100], &[1]));
    all("mpeg_audio", &["ffmpeg"], &list);
}

#[test]
fn aac_and_alac() {
    let rates = [16_000, 24_000, 44_100, 48_000];
    let mut list = forms("-f adts", "aac", &["aac"], &rates, &[1, 2]);
    list.extend(forms("", "m4a", &["aac"], &rates, &[1, 2]));
    list.extend(forms("-movflags +faststart", "m4a", &["aac"], &[16_000, 44_100], &[1]));
    list.extend(forms(
        "-movflags frag_keyframe+empty_moov -frag_duration 500000",
        "m4a",
        &["aac"],
        &[16_000, 44_100],
        &[1, 2],
    ));
    list.extend(forms("-f mov", "mov", &["aac"], &[44_100], &[1, 2]));
    list.extend(forms("-f 3gp", "3gp", &["aac"], &[16_000], &[1]));
    list.extend(forms("-f matroska", "mka", &["aac"], &[16_000, 44_100], &[1, 2]));
    list.extend(forms("", "m4a", &["alac"], &[16_000, 44_100, 48_000], &[1, 2]));
    list.extend(forms("-f matroska", "mka", &["alac"], &[44_100], &[1, 2]));
    all("aac_and_alac", &["ffmpeg"], &list);
}

#[test]
fn flac_opus_and_vorbis() {
    let mut list = forms("", "flac", &["flac"], &[8_000, 16_000, 44_100, 48_000, 96_000], &[1, 2]);
    list.extend(forms("-sample_fmt s32", "flac", &["flac"], &[16_000, 48_000], &[1, 2]));
    list.extend(forms("-f ogg", "oga", &["flac"], &[16_000, 44_100], &[1, 2]));
    list.extend(forms("-f matroska", "mka", &["flac"], &[16_000, 44_100], &[1, 2]));
    list.extend(forms("-f mp4 -strict -2", "mp4", &["flac"], &[16_000, 44_100], &[1]));
    for (options, ending) in [
        ("", "opus"),
        ("-f webm", "webm"),
        ("-f webm -live 1 -cluster_time_limit 500", "webm"),
        ("-f matroska", "mka"),
        ("-f mp4", "mp4"),
    ] {
        list.extend(forms(
            &format!("-b:a 32k {options}"),
            ending,
            &["libopus"],
            &[16_000, 48_000],
            &[1, 2],
        ));
    }
    list.extend(forms(
        "-b:a 24k -frame_duration 60 -application voip",
        "opus",
        &["libopus"],
        &[16_000],
        &[1],
    ));
    for (options, ending) in [("", "ogg"), ("-f webm", "webm"), ("-f matroska", "mka")] {
        list.extend(forms(options, ending, &["libvorbis"], &[16_000, 44_100], &[1, 2]));
    }
    all("flac_opus_and_vorbis", &["ffmpeg"], &list);
}

#[test]
fn what_lame_flac_and_sox_write() {
    let of = |tool: &'static str, options: &str, ending: &'static str| Form {
        name: format!("{tool} {options} .{ending}"),
        tool,
        arguments: words(options),
        ending,
    };
    let mut list = vec![];
    for options in [
        "--quiet -b 32",
        "--quiet -V 5",
        "--quiet --abr 40",
        "--quiet -V 9 -t",
        "--quiet -b 64 --resample 44.1",
        "--quiet -p",
    ] {
        list.push(of("lame", options, "mp3"));
    }
    for options in ["-0", "-8", "-5 -b 1152", "-5 -b 4608 --no-padding", "-8 --no-seektable"] {
        list.push(of("flac", options, "flac"));
        list.push(of("flac", &format!("{options} --ogg"), "oga"));
    }
    for (options, ending) in [
        ("-e ima-adpcm", "wav"),
        ("-e ms-adpcm", "wav"),
        ("-b 24", "wav"),
        ("-e floating-point -b 32", "wav"),
        ("-e u-law", "wav"),
        ("-e a-law -r 8000", "wav"),
        ("-B", "wav"),
        ("", "sph"),
        ("-e u-law -r 8000", "sph"),
        ("", "w64"),
        ("", "au"),
        ("", "aiff"),
        ("", "aifc"),
        ("", "caf"),
    ] {
        list.push(of("sox", options, ending));
    }
    all("what_lame_flac_and_sox_write", &["ffmpeg", "lame", "flac", "sox"], &list);
}

/// Damage keeps its time, tags make no difference, and what is missing is told.
#[test]
fn damaged_tagged_cut_and_joined() {
    let Some(mut bench) = Bench::new("damaged_tagged_cut_and_joined", &["ffmpeg"]) else { return };
    let list = [
        ("wav", "-c:a pcm_s16le"),
        ("wav", "-c:a adpcm_ima_wav"),
        ("aiff", "-c:a pcm_s16be"),
        ("au", "-c:a pcm_s16be"),
        ("flac", "-c:a flac"),
        ("mp3", "-c:a libmp3lame -b:a 64k"),
        ("mp3", "-c:a libmp3lame -q:a 5 -write_xing 0"),
        ("mp2", "-c:a mp2"),
        ("aac", "-c:a aac -f adts"),
        ("m4a", "-c:a aac"),
        ("m4a", "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 300000"),
        ("ogg", "-c:a libvorbis"),
        ("opus", "-c:a libopus -b:a 24k"),
        ("webm", "-c:a libopus -b:a 24k -cluster_time_limit 300"),
        ("mka", "-c:a flac -cluster_time_limit 300"),
        ("mov", "-c:a pcm_s24be"),
    ];
    for (ending, options) in list {
        let form = Form { name: String::new(), tool: "ffmpeg", arguments: words(options), ending };
        let Some(path) = bench.make(&form) else { continue };
        let name = format!(".{ending} {options}");
        let whole = fs::read(&path).unwrap();
        let (samples, _) = bench.decode(&path).unwrap();
        let seconds = samples.len() as f64 / RATE;
        let try_with = |bench: &mut Bench,
                        what: &str,
                        bytes: Vec<u8>,
                        judge: &dyn Fn(f64, &[String]) -> bool| {
            bench.checked += 1;
            fs::write(&path, bytes).unwrap();
            match bench.decode(&path) {
                Ok((got, warnings)) => {
                    let held = got.len() as f64 / RATE;
                    if !judge(held, &warnings) {
                        bench.wrong.push(format!(
                            "{name}, {what}: {held:.3} of {seconds:.3} s, {warnings:?}"
                        ));
                    }
                }
                // Said is said.
                Err(_) if what == "a hole" => {}
                Err(error) if error.to_string().contains("cut off before its end") => {}
                Err(error) => bench.wrong.push(format!("{name}, {what}: {error}")),
            }
        };
        let same =
            |held: f64, warnings: &[String]| (held - seconds).abs() < 0.001 && warnings.is_empty();
        if ["wav", "aiff", "flac", "mp3", "mp2", "aac"].contains(&ending) {
            let mut id3 = b"ID3\x04\0\0\0\x02\0\0".to_vec();
            id3.resize(10 + 32_768, b'x');
            try_with(&mut bench, "a tag in front", [id3, whole.clone()].concat(), &same);
            let tag = [b"TAG".to_vec(), vec![b' '; 125]].concat();
            try_with(&mut bench, "a tag behind", [whole.clone(), tag].concat(), &same);
        }
        // The header stays, for what is cut is what came after it.
        let from = whole.len() * 4 / 10;
        let mut hole = whole.clone();
        hole[from..whole.len() * 6 / 10].fill(0);
        let pcm = options.contains("pcm");
        try_with(&mut bench, "a hole", hole, &|held, warnings| {
            // Of frames that differ in length, their number can only be estimated.
            let near = if ["mp3", "aac"].contains(&ending) { 0.35 } else { 0.12 };
            (held - seconds).abs() < near && (pcm || !warnings.is_empty())
                || held < seconds && !warnings.is_empty()
        });
        try_with(
            &mut bench,
            "cut off at 70 %",
            whole[..whole.len() * 7 / 10].to_vec(),
            &|held, warnings| {
                // A stream without a length ends where it ends.
                held < seconds && (!warnings.is_empty() || ["mp3", "mp2", "aac"].contains(&ending))
            },
        );
        if ["mp3", "mp2", "aac", "ogg", "opus"].contains(&ending) {
            try_with(&mut bench, "twice", [whole.clone(), whole.clone()].concat(), &|held, _| {
                (held - 2.0 * seconds).abs() < 0.15
            });
        }
    }
    bench.end(&CHECKED);
}
