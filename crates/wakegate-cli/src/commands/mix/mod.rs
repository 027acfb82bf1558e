//! `wakegate mix`: keyword clips in background at a stated ratio, with exact labels.

mod background;
mod keywords;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use wakegate::audio::{read_all, samples_in};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::{FileSource, find_audio};
use wakegate_lab::eval::mix::Snr;
use wakegate_lab::eval::random::Random;
use wakegate_lab::table::write_whole;

use super::Outcome;
use super::output::{self, counted};
use crate::wav;
use background::{Background, Stretch};
use keywords::{Clip, Keyword, Keywords};

/// Columns of the labels that the mixture has by itself.
const COLUMNS: [&str; 13] = [
    "path",
    "start_s",
    "end_s",
    "label",
    "speaker",
    "audio_s",
    "snr_db",
    "snr",
    "source",
    "background",
    "rir",
    "gain_db",
    "level_db",
];
/// How far below its loudest 10 ms a word begins and ends, where nobody says it.
const WORD_DB: f64 = 15.0;
/// Largest sample of a mixture: a stream with a larger one is made quieter as a whole.
const PEAK: f32 = 0.99;

/// Lay keyword clips into background at a stated signal-to-noise ratio
///
/// Writes streams of about --stream-s seconds and labels.tsv, which `wakegate eval` reads, to a
/// new folder. Each clip comes once in every stream set, in a random order, with random pauses;
/// it is made louder or quieter until it stands at --snr-db above the background under its word.
/// With several --snr-db there is a set of streams for each, alike in all but that. The same
/// seed, files and options give the same bytes.
///
/// A clip's edges are cut where they are --trim-db below its loudest 10 ms. Without times in
/// --keyword-labels, the word is what is at most --word-db below them. Exit code: 0 written, 2 could not run.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
        wakegate mix --keywords words/ --word alexa --background noise/ --snr-db 10 5 0 --output mixed")]
pub struct Mix {
    /// Clips of the word, or folders of them
    #[arg(long, value_name = "PATH", num_args = 1.., required_unless_present = "keyword_labels", requires = "word")]
    keywords: Vec<PathBuf>,
    /// The word in --keywords
    #[arg(long, value_name = "WORD", conflicts_with = "keyword_labels")]
    word: Option<String>,
    /// Clips and what is said in them, in the format of `wakegate eval`; further columns are
    /// carried on, and a clip with nothing in label is laid in as a negative
    #[arg(long, value_name = "FILE", conflicts_with = "keywords")]
    keyword_labels: Option<PathBuf>,
    /// Recordings of the background, or folders of them
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    background: Vec<PathBuf>,
    /// The folder to make
    #[arg(long, value_name = "DIR", alias = "out")]
    output: PathBuf,
    /// Signal-to-noise ratios in dB
    #[arg(long, value_name = "DB", num_args = 1.., required = true, allow_negative_numbers = true)]
    snr_db: Vec<f64>,
    /// How the ratio is measured: Picovoice's benchmark takes the peak frame of both, which reads
    /// higher than the mean power
    #[arg(long, value_enum, default_value_t = SnrChoice::PeakFrame)]
    snr: SnrChoice,
    /// Impulse responses, or folders of them: each clip is put into one of these rooms
    #[arg(long, value_name = "PATH", num_args = 1..)]
    rir: Vec<PathBuf>,
    /// Mean pause before, between and after clips; each is from half to one and a half of it
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    gap_s: f64,
    /// Length at which a stream ends
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    stream_s: f64,
    /// How far below its loudest 10 ms the edge of a clip is cut
    #[arg(long, value_name = "DB", default_value_t = 40.0)]
    trim_db: f64,
    /// How far below its loudest 10 ms a word begins and ends, where no label says it [default: 15]
    #[arg(long, value_name = "DB")]
    word_db: Option<f64>,
    /// Cut out 50 ms of background that are quieter than this, in dB of full scale
    #[arg(long, value_name = "DB", default_value_t = -70.0, allow_negative_numbers = true)]
    floor_db: f64,
    /// Seed of everything that is drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// What the streams are written as
    #[arg(long, value_enum, default_value_t = wav::SampleFormat::Int16)]
    format: wav::SampleFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SnrChoice {
    MeanPower,
    PeakFrame,
}

/// A clip in its place.
struct Placed<'a> {
    keyword: &'a Keyword,
    clip: Clip,
    room: Option<usize>,
    at: usize,
}

/// What is being written.
struct Writer<'a> {
    mix: &'a Mix,
    snr: Snr,
    rooms: &'a [PathBuf],
    background: Background,
    folder: &'a Path,
    labels: csv::Writer<Vec<u8>>,
    streams: usize,
    samples: usize,
}

impl Mix {
    pub fn run(self) -> Result<Outcome> {
        self.check()?;
        let keywords = match &self.keyword_labels {
            Some(file) => keywords::of_labels(file, &COLUMNS)?,
            None => keywords::of_paths(&self.keywords, self.word.as_deref().unwrap_or_default())?,
        };
        if self.word_db.is_some() && keywords.all.iter().all(|clip| clip.span_s.is_some()) {
            return Err(Error::new(ErrorKind::Settings, "--word-db is refused")
                .expected("a clip without times, whose word it would find")
                .found("the times of every word"));
        }
        let background = Background::new(files(&self.background)?, self.floor_db, self.seed);
        let rooms = if self.rir.is_empty() { Vec::new() } else { files(&self.rir)? };
        let responses = rooms
            .iter()
            .map(|path| read_all(&mut FileSource::open(path)?))
            .collect::<Result<Vec<_>>>()?;
        if self.output.exists() {
            return Err(Error::new(ErrorKind::Io, format!("{} is there", self.output.display()))
                .hint("name a folder that is not there yet"));
        }
        // Made beside it and moved at the end: what is there is whole.
        let mut partial = self.output.as_os_str().to_owned();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        fs::create_dir(&partial).map_err(|e| Error::io("make", &partial, &e))?;
        let mixed = self.write(&partial, &keywords, &rooms, &responses, background);
        if mixed.is_err() {
            // The error that is returned says why.
            let _ = fs::remove_dir_all(&partial);
        }
        let (streams, seconds) = mixed?;
        fs::rename(&partial, &self.output).map_err(|e| Error::io("make", &self.output, &e))?;
        output::talk(format_args!(
            "{} at {} in {}, {:.1} min: {}",
            counted(keywords.all.len(), "clip"),
            counted(self.snr_db.len(), "ratio"),
            counted(streams, "stream"),
            seconds / 60.0,
            self.output.join("labels.tsv").display()
        ));
        Ok(Outcome::AllWell)
    }

    /// Writes everything to `folder`; how many streams there are, and how many seconds.
    fn write(
        &self,
        folder: &Path,
        keywords: &Keywords,
        rooms: &[PathBuf],
        responses: &[Vec<f32>],
        background: Background,
    ) -> Result<(usize, f64)> {
        let snr = match self.snr {
            SnrChoice::MeanPower => Snr::MeanPower,
            SnrChoice::PeakFrame => Snr::PeakFrame,
        };
        let labels = csv::WriterBuilder::new()
            .delimiter(b'\t')
            .quote_style(csv::QuoteStyle::Never)
            .from_writer(Vec::new());
        let (streams, samples) = (0, 0);
        let mut writer =
            Writer { mix: self, snr, rooms, background, folder, labels, streams, samples };
        let head = COLUMNS.iter().copied().chain(keywords.extra.iter().map(String::as_str));
        writer.row(head)?;
        self.lay(keywords, responses, &mut writer)?;
        let samples = writer.samples;
        Ok((writer.end()?, seconds(samples)))
    }

    fn check(&self) -> Result<()> {
        let limits = [
            ("--gap-s", self.gap_s, 0.1, 3600.0),
            ("--stream-s", self.stream_s, 1.0, 3600.0),
            ("--trim-db", self.trim_db, 1.0, 200.0),
            ("--word-db", self.word_db(), 1.0, self.trim_db),
            ("--floor-db", self.floor_db, -120.0, 0.0),
        ];
        let ratios = self.snr_db.iter().map(|&ratio| ("--snr-db", ratio, -60.0, 100.0));
        for (name, value, least, most) in limits.into_iter().chain(ratios) {
            if !(least..=most).contains(&value) {
                return Err(Error::new(ErrorKind::Settings, format!("{name} is refused"))
                    .expected(format!("{least} to {most}"))
                    .found(value.to_string()));
            }
        }
        // The streams are named by their ratio: of two alike, one would lie over the other.
        let again = |&(place, ratio): &(usize, &f64)| self.snr_db[..place].contains(ratio);
        if let Some((_, ratio)) = self.snr_db.iter().enumerate().find(again) {
            return Err(Error::new(ErrorKind::Settings, "--snr-db is refused")
                .expected("each ratio once")
                .found(format!("{ratio} twice")));
        }
        Ok(())
    }

    fn word_db(&self) -> f64 {
        self.word_db.unwrap_or(WORD_DB)
    }

    /// Lays every clip, stream by stream.
    fn lay(&self, keywords: &Keywords, rooms: &[Vec<f32>], writer: &mut Writer<'_>) -> Result<()> {
        let mut order: Vec<usize> = (0..keywords.all.len()).collect();
        Random::named(self.seed, "order").shuffle(&mut order);
        let length = samples(self.stream_s);
        let bar = output::progress(order.len(), "clips");
        let (mut placed, mut at): (Vec<Placed<'_>>, usize) = (Vec::new(), 0);
        for index in order {
            let keyword = &keywords.all[index];
            let mut random = Random::named(self.seed, &format!("{index} {}", keyword.source));
            let pause = samples(self.gap_s * (0.5 + random.unit()));
            let room = (!rooms.is_empty()).then(|| random.below(rooms.len()));
            let clip = keyword
                .clip([self.trim_db, self.word_db()], room.map(|room| rooms[room].as_slice()))?;
            let needed = pause + clip.samples.len();
            if at + needed + samples(self.gap_s) > length && !placed.is_empty() {
                writer.stream(&std::mem::take(&mut placed), at + samples(self.gap_s))?;
                at = 0;
            }
            placed.push(Placed { keyword, clip, room, at: at + pause });
            at += needed;
            bar.inc(1);
        }
        if !placed.is_empty() {
            writer.stream(&placed, at + samples(self.gap_s))?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

impl Writer<'_> {
    /// Writes one stream at every ratio.
    fn stream(&mut self, placed: &[Placed<'_>], length: usize) -> Result<()> {
        let stretch = self.background.take(length)?;
        self.streams += 1;
        for &snr_db in &self.mix.snr_db {
            let name = format!("{snr_db}dB-{:04}.wav", self.streams);
            let mut mixed = stretch.samples.clone();
            let gains = placed
                .iter()
                .map(|place| self.add(&mut mixed, &stretch, place, snr_db))
                .collect::<Result<Vec<_>>>()?;
            let peak = mixed.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            let scale = if peak > PEAK { PEAK / peak } else { 1.0 };
            mixed.iter_mut().for_each(|sample| *sample *= scale);
            let path = self.folder.join(&name);
            write_whole(&path, &wav::bytes(&mixed, self.mix.format))?;
            for (place, gain) in placed.iter().zip(gains) {
                self.label(&name, &stretch, place, snr_db, [gain, scale])?;
            }
            self.samples += length;
        }
        Ok(())
    }

    /// Adds one clip; what it is multiplied with.
    fn add(
        &self,
        mixed: &mut [f32],
        stretch: &Stretch,
        place: &Placed<'_>,
        snr_db: f64,
    ) -> Result<f32> {
        let Placed { keyword, clip, at, .. } = place;
        let speech = &clip.samples[clip.word.clone()];
        let noise = &stretch.samples[at + clip.word.start..at + clip.word.end];
        let gain = self.snr.gain(speech, noise, snr_db).map_err(|error| {
            error.context(format_args!("{} at {:.2} s", keyword.source, seconds(*at)))
        })?;
        for (sample, speech) in mixed[*at..].iter_mut().zip(&clip.samples) {
            *sample += gain * speech;
        }
        Ok(gain)
    }

    fn label(
        &mut self,
        name: &str,
        stretch: &Stretch,
        place: &Placed<'_>,
        snr_db: f64,
        [gain, scale]: [f32; 2],
    ) -> Result<()> {
        let Placed { keyword, clip, room, at } = place;
        let under = stretch.at(at + clip.word.start);
        let shown = |path: Option<&PathBuf>| {
            path.map_or_else(String::new, |path| path.to_string_lossy().into_owned())
        };
        let decibels = |factor: f32| 20.0 * f64::from(factor).log10();
        let level = 10.0 * Snr::MeanPower.level(&clip.samples[clip.word.clone()]).log10();
        let own = [
            name.to_owned(),
            seconds(at + clip.word.start).to_string(),
            seconds(at + clip.word.end).to_string(),
            keyword.label.clone(),
            keyword.speaker.clone(),
            seconds(stretch.samples.len()).to_string(),
            snr_db.to_string(),
            self.snr.as_str().to_owned(),
            keyword.source.clone(),
            shown(under.map(|file| self.background.path(file))),
            shown(room.map(|room| &self.rooms[room])),
            format!("{:.2}", decibels(scale)),
            format!("{:.1}", level + decibels(gain) + decibels(scale)),
        ];
        self.row(own.iter().map(String::as_str).chain(keyword.extra.iter().map(String::as_str)))
    }

    fn row<'t>(&mut self, cells: impl Iterator<Item = &'t str>) -> Result<()> {
        let cells: Vec<&str> = cells.collect();
        // The file has no quotes, as the reader wants it: what needs them can't be in it.
        if let Some(bad) = cells.iter().find(|cell| cell.contains(['\t', '\n', '\r'])) {
            return Err(Error::new(ErrorKind::Settings, "the labels can't be written")
                .expected("names without a tab or an end of line")
                .found(format!("{bad:?}")));
        }
        self.labels.write_record(cells).map_err(|error| unwritten(&error))
    }

    /// Writes the labels; the number of streams.
    fn end(self) -> Result<usize> {
        let path = self.folder.join("labels.tsv");
        let text = self.labels.into_inner().map_err(|error| unwritten(&error))?;
        write_whole(&path, &text)?;
        Ok(self.streams * self.mix.snr_db.len())
    }
}

fn unwritten(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, "cannot write labels.tsv").found(error.to_string())
}

/// The audio files below `paths`; a missing one is an error here, since it changes the draws.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    find_audio(paths).into_iter().map(|found| found.problem.map_or(Ok(found.path), Err)).collect()
}

fn samples(seconds: f64) -> usize {
    samples_in(seconds) as usize
}

fn seconds(samples: usize) -> f64 {
    wakegate::audio::seconds(samples as u64)
}
