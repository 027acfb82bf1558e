//! Which recordings `score` is to take.

use std::path::{Path, PathBuf};

use crate::config::Config;
use clap::Args;
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::corpus::{Choice, Columns, Corpus, Settings};
use wakegate_lab::decode::Ffmpeg;

use super::raw_options::RawOptions;

/// Recordings, in the order in which they are named: paths, then lists, then manifests.
#[derive(Args)]
pub struct Inputs {
    /// Recordings, folders that are searched for them, tar (also .tar.gz, .tar.zst, .tar.xz or .tar.bz2)
    /// and zip archives of them, or patterns with *, ?, [...] or **
    #[arg(value_name = "PATH", required_unless_present_any = ["list", "manifest"])]
    paths: Vec<PathBuf>,
    /// Read more paths from this file, one a line; - for stdin
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
    /// Take a recording from every row of this table: .csv, .tsv, .jsonl, .parquet, or - for JSON
    /// lines on stdin
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// Which columns of the manifests mean what: path, id, trigger_s, label, group and channel,
    /// each its own name unless given here; in an archive, keys of the .json beside a recording, or the
    /// endings of other files beside it
    #[arg(long, value_name = "MEANING=NAME,...", value_delimiter = ',')]
    column: Vec<String>,
    /// Carry these columns through to the output
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    carry: Vec<String>,
    /// Where relative paths in lists and manifests start [default: the working folder]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(flatten)]
    raw: RawOptions,
    /// Which channel is heard: a number from 1, left, right, mix (the mean of all), or each (each by
    /// itself; the one with the best activation is the recording's). A manifest's channel comes
    /// before it
    #[arg(long, value_name = "N|left|right|mix|each", default_value_t = Choice::default())]
    channel: Choice,
    /// Largest member of a compressed archive, in MiB; it is held in memory
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    member_mib: u32,
    /// Hand recordings of a form that is not known here to an ffmpeg that you have; the record then
    /// says `decoder: ffmpeg`. It runs by itself, without network, with limits of time and size
    #[arg(long)]
    ffmpeg: bool,
}

/// The error of an option that would change nothing.
fn useless(option: &str, expected: &str) -> Error {
    Error::new(ErrorKind::Settings, format!("{option} is refused"))
        .expected(expected)
        .found("paths alone")
}

impl Inputs {
    /// Finds the recordings, and refuses manifests that can't be.
    pub fn open(&self, config: &Config) -> Result<Corpus> {
        let settings = Settings {
            columns: Columns::new(&self.column, &self.carry)?,
            root: self.root.clone(),
            raw: self.raw.form()?,
            member_limit: u64::from(self.member_mib) << 20,
            channel: self.channel,
            ffmpeg: self.hands_over(config).then(Ffmpeg::find).transpose()?,
        };
        if self.paths.iter().any(|path| path == Path::new("-") && !path.exists()) {
            return Err(Error::new(ErrorKind::Settings, "- is no recording")
                .expected("recordings by their names")
                .found("-")
                .hint("`wakegate listen --input -` judges raw samples from stdin; --list - reads names"));
        }
        if self.root.is_some() && self.list.is_empty() && self.manifest.is_empty() {
            return Err(useless("--root", "--list or --manifest, whose paths start there"));
        }
        let mut corpus = Corpus::new(settings);
        self.paths.iter().for_each(|path| corpus.add_path(path));
        self.list.iter().try_for_each(|list| corpus.add_list(list))?;
        self.manifest.iter().try_for_each(|manifest| corpus.add_manifest(manifest))?;
        if !corpus.has_columns() {
            for (option, names) in [("--carry", &self.carry), ("--column", &self.column)] {
                if !names.is_empty() {
                    return Err(useless(option, "a manifest or an archive, which has columns"));
                }
            }
        }
        Ok(corpus)
    }

    /// The files that are named themselves: recordings, lists and manifests.
    pub fn named(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().chain(&self.list).chain(&self.manifest).map(PathBuf::as_path)
    }

    /// Whether ffmpeg reads what is not known here.
    fn hands_over(&self, config: &Config) -> bool {
        self.ffmpeg || config.decode.ffmpeg
    }

    /// What changes what is scored, for a run that another goes on with.
    pub fn describe(&self, config: &Config) -> serde_json::Value {
        serde_json::json!({
            "column": self.column,
            "carry": self.carry,
            "channel": self.channel.to_string(),
            "ffmpeg": self.hands_over(config),
            "raw": self.raw.describe(),
        })
    }
}
