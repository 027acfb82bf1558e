//! What an answer says about how it was made, and about the data.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use wakegate::{Error, Result};
use wakegate_lab::eval::figures::Figures;

use super::Input;
use super::join::Joined;
use super::scores::System;
use crate::commands::output;

/// A file by its hash.
pub fn input(path: &Path) -> Result<Input> {
    let unread = |error: io::Error| Error::io("read", path, &error);
    let mut file = File::open(path).map_err(unread)?;
    let mut digest = Sha256::new();
    let (mut block, mut bytes) = (vec![0; 1 << 16], 0);
    loop {
        let count = file.read(&mut block).map_err(unread)?;
        if count == 0 {
            break;
        }
        digest.update(&block[..count]);
        bytes += count as u64;
    }
    let sha256 = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Input { path: path.display().to_string(), bytes, sha256 })
}

/// The command as one could type it again.
pub fn command_line() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    let quoted = |word: String| {
        if !word.is_empty() && word.chars().all(plain) {
            return word;
        }
        format!("'{}'", word.replace('\'', r"'\''"))
    };
    let words = std::env::args_os().skip(1).map(|word| quoted(word.to_string_lossy().into_owned()));
    std::iter::once("wakegate".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// What a reader has to know, what weighs most first: whether the scores are what they seem, what the
/// data is too small for, how labels were taken.
pub fn notes(joined: &Joined, systems: &[System], figures: &Figures) -> Vec<String> {
    let mut notes = Vec::new();
    for file in systems.iter().flat_map(|system| &system.older) {
        notes.push(format!(
            "a run that is to write {} has not finished: these are the scores of the run before it",
            file.display()
        ));
    }
    if systems.iter().any(|system| system.one_each) {
        notes.push(
            "the scores have one line a recording, so that at most one false accept is seen in each: \
             score with --activations where there can be more"
                .to_owned(),
        );
    }
    if joined.silent > 0 {
        notes.push(format!(
            "{} no line in the scores and {} taken to be without an activation",
            if joined.silent == 1 {
                "1 recording has".to_owned()
            } else {
                format!("{} recordings have", joined.silent)
            },
            if joined.silent == 1 { "is" } else { "are" },
        ));
    }
    for system in systems.iter().filter(|system| system.left_out > 0) {
        let (name, count) = (&system.name, system.left_out);
        notes.push(format!(
            "{} of other wake words in the scores of {name} left out",
            output::counted(count, "line")
        ));
    }
    notes.extend(figures.notes.iter().cloned());
    if !joined.others.is_empty() {
        let words: Vec<String> =
            joined.others.iter().map(|(word, n)| format!("{word} {n}")).collect();
        notes.push(format!("labels of other words are negatives: {}", words.join(", ")));
    }
    notes
}
