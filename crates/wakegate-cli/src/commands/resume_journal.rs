//! What is scored so far of a run with an output file: lines beside the output that outlive the
//! process.
//!
//! The first line says what run it is. Each recording then has its records, as they are printed,
//! and a line that closes them; what is not closed does not count. A run that goes on drops an
//! unclosed end, skips the recordings that are closed, and so comes to the same lines as one that
//! was never killed. The output is made of the journal at the end.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::corpus::About;
use wakegate_lab::scoring::Record;

use super::run_summary::RunSummary;

/// The closing line of a recording. Its first key tells it from a record.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Closing {
    /// Its number, from 0.
    done: usize,
    /// [`fingerprint`] of what the corpus says of it.
    of: String,
    /// Its length at 16 kHz.
    samples: Option<u64>,
    /// The kind of error that it ended with.
    failed: Option<String>,
}

/// What begins a [`Closing`].
const CLOSING: &[u8] = b"{\"done\":";

/// The lines of a run, on disk.
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Fingerprints of the recordings that are done.
    done: Vec<[u8; 8]>,
    line: Vec<u8>,
    written: usize,
}

impl Journal {
    /// Where the journal of the output at `output` lies.
    pub fn path_of(output: &Path) -> PathBuf {
        let mut name = output.as_os_str().to_owned();
        name.push(".journal");
        PathBuf::from(name)
    }

    /// Begins the journal of a `run`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it can't be written, or there is one already.
    pub fn create(output: &Path, run: &Value) -> Result<Self> {
        let path = Self::path_of(output);
        let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::new(ErrorKind::Io, "a run with this output is not finished")
                    .expected(format!("no file {}", path.display()))
                    .found("one")
                    .hint("go on with --resume, or delete it to start over"));
            }
            Err(error) => return Err(Error::io("create", &path, &error)),
        };
        lock(&file, &path)?;
        let mut journal = Self { path, file, done: Vec::new(), line: Vec::new(), written: 0 };
        journal.line = json(run)?;
        journal.write()?;
        Ok(journal)
    }

    /// Goes on with the journal of a `run` that ended early, and adds what is done to `tally`.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it can't be read, or another process writes it;
    /// [`ErrorKind::Settings`] where it is of another run.
    pub fn resume(output: &Path, run: &Value, tally: &mut RunSummary) -> Result<Self> {
        let path = Self::path_of(output);
        let io = |e: io::Error| Error::io("read", &path, &e);
        let mut file = OpenOptions::new().read(true).write(true).open(&path).map_err(io)?;
        lock(&file, &path)?;
        let mut lines = Lines::new(BufReader::new(&file));
        let Some(first) = lines.next().map_err(io)? else {
            // Killed before its first line was written.
            drop(lines);
            file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
            let line = json(run)?;
            let mut journal = Self { path, file, done: Vec::new(), line, written: 0 };
            journal.write()?;
            return Ok(journal);
        };
        let found: Value = serde_json::from_slice(first).unwrap_or_default();
        if found != *run {
            return Err(other_run(&path, &found, run));
        }
        let mut done = Vec::new();
        let mut whole = lines.at;
        while let Some((records, closing)) = lines.next_closed().map_err(io)? {
            let records: serde_json::Result<Vec<Record>> =
                records.iter().map(|line| serde_json::from_slice(line)).collect();
            let (Ok(records), Some(of)) = (records, unhex(&closing.of)) else { break };
            if closing.done != done.len() {
                break;
            }
            let failed = closing.failed.as_deref().unwrap_or("other");
            tally.add(closing.samples.ok_or(failed), &records);
            done.push(of);
            whole = lines.at;
        }
        drop(lines);
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::End(0))).map_err(io)?;
        tally.resume();
        let written = done.len();
        Ok(Self { path, file, done, line: Vec::new(), written })
    }

    /// Takes the fingerprints of what is done out, for the thread that skips it.
    pub fn take_done(&mut self) -> Vec<[u8; 8]> {
        std::mem::take(&mut self.done)
    }

    /// Adds the records of the next recording, for good as far as this process is concerned.
    pub fn append(
        &mut self,
        about: &About,
        length: std::result::Result<u64, &str>,
        records: &[Record],
    ) -> Result<()> {
        self.line.clear();
        for record in records {
            self.line.extend(json(record)?);
        }
        let closing = Closing {
            done: self.written,
            of: hex(fingerprint(about)),
            samples: length.ok(),
            failed: length.err().map(str::to_owned),
        };
        self.line.extend(json(&closing)?);
        self.write()?;
        self.written += 1;
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        self.file.write_all(&self.line).map_err(|e| Error::io("write", &self.path, &e))
    }

    /// Hands the record lines to `take`, in their order and without their ends.
    pub fn read(&mut self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let io = |e: io::Error| Error::io("read", &self.path, &e);
        self.file.rewind().map_err(io)?;
        let mut lines = Lines::new(BufReader::with_capacity(1 << 16, &self.file));
        lines.next().map_err(io)?;
        while let Some(line) = lines.next().map_err(io)? {
            if !line.starts_with(CLOSING) {
                take(line)?;
            }
        }
        Ok(())
    }

    /// Removes the journal: the output is in its place.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|e| Error::io("remove", &self.path, &e))
    }
}

/// What of a recording tells whether a run goes on with the same ones.
pub fn fingerprint(about: &About) -> [u8; 8] {
    let trigger = about.trigger_s.map(f64::to_bits);
    let text = format!("{:?} {:?} {trigger:?}", about.path, about.id);
    let digest = Sha256::digest(text.as_bytes());
    std::array::from_fn(|index| digest[index])
}

fn hex(bytes: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(bytes))
}

fn unhex(text: &str) -> Option<[u8; 8]> {
    (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(u64::to_be_bytes)).flatten()
}

/// `value` as a line.
fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value).map_err(|error| {
        Error::new(ErrorKind::Io, "cannot write a record").found(error.to_string())
    })?;
    line.push(b'\n');
    Ok(line)
}

/// Two runs into one file would make nonsense of it.
fn lock(file: &File, path: &Path) -> Result<()> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        let refused = Error::new(ErrorKind::Io, format!("cannot lock {}", path.display()))
            .expected("no other run with this output");
        match error {
            Errno::WOULDBLOCK => refused
                .found("another wakegate that is writing there")
                .hint("wait for its end, or name another output"),
            other => refused.found(other.to_string()),
        }
    })
}

fn other_run(path: &Path, found: &Value, run: &Value) -> Error {
    let differs: Vec<&str> = run.as_object().map_or(Vec::new(), |run| {
        run.iter().filter(|(key, value)| found.get(key) != Some(value)).map(|(k, _)| &**k).collect()
    });
    Error::new(ErrorKind::Settings, format!("cannot go on with {}", path.display()))
        .expected("the journal of a run with the same model, runtime and options")
        .found(format!("another {}", differs.join(", ")))
        .hint("use the options it was started with, or delete it to start over")
}

/// Lines that are whole, and where the next one begins.
struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    at: u64,
}

impl<R: BufRead> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader, line: Vec::new(), at: 0 }
    }

    /// The next line, without its end; none where it has no end.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let count = self.reader.read_until(b'\n', &mut self.line)?;
        if self.line.pop() != Some(b'\n') {
            return Ok(None);
        }
        self.at += count as u64;
        Ok(Some(&self.line))
    }

    /// The records of the next recording that is closed, and the line that closes it.
    fn next_closed(&mut self) -> io::Result<Option<(Vec<Vec<u8>>, Closing)>> {
        let mut records = Vec::new();
        while let Some(line) = self.next()? {
            if line.starts_with(CLOSING) {
                return Ok(serde_json::from_slice(line).ok().map(|closing| (records, closing)));
            }
            records.push(line.to_vec());
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn about(path: &str) -> About {
        About { path: path.to_owned(), ..About::default() }
    }

    fn record(path: &str) -> Record {
        Record { path: path.to_owned(), ..Record::default() }
    }

    /// A journal of three recordings, with two records, an error and none.
    fn written(output: &Path, run: &Value) -> Journal {
        let mut journal = Journal::create(output, run).unwrap();
        journal.append(&about("a"), Ok(16_000), &[record("a"), record("a")]).unwrap();
        journal.append(&about("b"), Err("audio"), &[record("b")]).unwrap();
        journal.append(&about("c"), Ok(8_000), &[]).unwrap();
        journal
    }

    fn records(journal: &mut Journal) -> Vec<String> {
        let mut paths = Vec::new();
        journal
            .read(&mut |line| {
                let record: Record = serde_json::from_slice(line).unwrap();
                paths.push(record.path);
                Ok(())
            })
            .unwrap();
        paths
    }

    #[test]
    fn wherever_it_was_cut_what_is_closed_is_kept_and_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let (output, run) = (folder.path().join("out.csv"), json!({"journal": 1}));
        drop(written(&output, &run));
        let path = Journal::path_of(&output);
        let text = fs::read(&path).unwrap();
        let ends: Vec<usize> = text
            .split_inclusive(|byte| *byte == b'\n')
            .scan(0, |at, line| {
                *at += line.len();
                Some((*at, line.starts_with(CLOSING)))
            })
            .filter_map(|(end, closing)| closing.then_some(end))
            .collect();
        assert_eq!(ends.len(), 3);
        let near_ends = |cut: &usize| ends.iter().any(|end| cut.abs_diff(*end) < 3);
        for cut in (0..=text.len()).filter(|cut| cut % 11 == 0 || near_ends(cut)) {
            fs::write(&path, &text[..cut]).unwrap();
            let mut tally = RunSummary::default();
            let mut journal = Journal::resume(&output, &run, &mut tally).unwrap();
            let done = ends.iter().filter(|end| **end <= cut).count();
            let expected: Vec<_> =
                ["a", "b", "c"][..done].iter().map(|path| fingerprint(&about(path))).collect();
            assert_eq!(journal.take_done(), expected, "cut at {cut}");
            assert_eq!(tally.recordings(), done);
            for path in &["a", "b", "c"][done..] {
                let (length, count) = match *path {
                    "a" => (Ok(16_000), 2),
                    "b" => (Err("audio"), 1),
                    _ => (Ok(8_000), 0),
                };
                journal.append(&about(path), length, &vec![record(path); count]).unwrap();
            }
            assert_eq!(fs::read(&path).unwrap(), text, "cut at {cut}");
            assert_eq!(records(&mut journal), ["a", "a", "b"]);
        }
    }

    #[test]
    fn a_journal_is_of_one_run_and_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.csv");
        let run = json!({"model": "a-1", "activations": false});
        let journal = written(&output, &run);
        let resume = |run: &Value| {
            let result = Journal::resume(&output, run, &mut RunSummary::default());
            result.map(|_| ()).map_err(|error| error.to_string())
        };
        let locked = resume(&run).unwrap_err();
        assert!(locked.contains("expected no other run with this output"), "{locked}");
        drop(journal);
        let other = resume(&json!({"model": "b-1", "activations": false})).unwrap_err();
        assert!(other.contains("found another model (hint"), "{other}");
        let twice = Journal::create(&output, &run).err().unwrap().to_string();
        assert!(twice.contains("hint: go on with --resume"), "{twice}");
        assert_eq!(resume(&run), Ok(()));
        let mut journal = Journal::resume(&output, &run, &mut RunSummary::default()).unwrap();
        assert_eq!(records(&mut journal), ["a", "a", "b"]);
        journal.remove().unwrap();
        assert!(!Journal::path_of(&output).exists());
    }
}
