//! Background without an end, from recordings in a random order.

use std::path::PathBuf;

use wakegate::Result;
use wakegate::audio::{FileSource, SAMPLE_RATE, Source};
use wakegate::eval::mix::join;
use wakegate::eval::random::Random;

/// Samples over which one recording goes over into the next: 50 ms.
const FADE: usize = 800;

/// The background, read as far as it is needed.
pub struct Background {
    files: Vec<PathBuf>,
    order: Vec<usize>,
    random: Random,
    open: Option<(usize, FileSource)>,
    block: Vec<f32>,
    /// What was read but not given yet, of the open file.
    left: Vec<f32>,
}

/// A stretch of background and the file that it is from, by its number.
pub struct Stretch {
    /// Its samples.
    pub samples: Vec<f32>,
    /// (first sample, number of the file), in order.
    pub pieces: Vec<(usize, usize)>,
}

impl Stretch {
    /// The file at `sample`.
    pub fn at(&self, sample: usize) -> Option<usize> {
        let after = self.pieces.partition_point(|(first, _)| *first <= sample);
        Some(self.pieces.get(after.checked_sub(1)?)?.1)
    }
}

impl Background {
    /// Of these files; all of them come before one comes again.
    pub fn new(files: Vec<PathBuf>, seed: u64) -> Self {
        let random = Random::named(seed, "background");
        let block = vec![0.0; SAMPLE_RATE as usize];
        Self { files, order: Vec::new(), random, open: None, block, left: Vec::new() }
    }

    /// The path of the file with this number.
    pub fn path(&self, file: usize) -> &PathBuf {
        &self.files[file]
    }

    /// The next `count` samples.
    ///
    /// # Errors
    /// Those of the recording that can't be read.
    pub fn take(&mut self, count: usize) -> Result<Stretch> {
        let mut stretch = Stretch { samples: Vec::with_capacity(count + FADE), pieces: Vec::new() };
        if let Some((file, _)) = &self.open {
            stretch.pieces.push((0, *file));
            stretch.samples.append(&mut self.left);
        }
        // With a fade in hand: a join at the end changes samples that are not given yet.
        while stretch.samples.len() < count + FADE {
            match self.read()? {
                Some(block) => stretch.samples.extend(block),
                None => {
                    let file = self.open_next()?;
                    let block = self.read()?.unwrap_or_default();
                    let fade = FADE.min(stretch.samples.len()).min(block.len());
                    stretch.pieces.push((stretch.samples.len() - fade, file));
                    join(&mut stretch.samples, &block, fade);
                }
            }
        }
        self.left = stretch.samples.split_off(count);
        Ok(stretch)
    }

    /// A block of the open file; none at its end, and where none is open.
    fn read(&mut self) -> Result<Option<Vec<f32>>> {
        let Some((_, source)) = &mut self.open else { return Ok(None) };
        let mut filled = 0;
        while filled < self.block.len() {
            match source.read(&mut self.block[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok((filled > 0).then(|| self.block[..filled].to_vec()))
    }

    fn open_next(&mut self) -> Result<usize> {
        if self.order.is_empty() {
            self.order = (0..self.files.len()).collect();
            self.random.shuffle(&mut self.order);
        }
        let file = self.order.pop().unwrap_or(0);
        self.open = Some((file, FileSource::open(&self.files[file])?));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wav;

    #[test]
    fn a_stretch_does_not_depend_on_how_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = [3_000, 20_000, 700]
            .into_iter()
            .enumerate()
            .map(|(index, count)| {
                let path = folder.path().join(format!("{index}.wav"));
                let samples = vec![0.1 * (index + 1) as f32; count];
                std::fs::write(&path, wav::bytes(&samples, wav::Form::Float32)).unwrap();
                path
            })
            .collect();
        let whole = Background::new(files.clone(), 5).take(60_000).unwrap();
        let mut parts = Background::new(files.clone(), 5);
        let mut samples = Vec::new();
        for count in [1, 2_200, 799, 30_000, 27_000] {
            let part = parts.take(count).unwrap();
            assert_eq!(part.samples.len(), count);
            samples.extend(part.samples);
        }
        assert_eq!(samples, whole.samples);
        // Each file is heard, and the stretch knows which.
        let heard: std::collections::BTreeSet<usize> =
            whole.pieces.iter().map(|piece| piece.1).collect();
        assert_eq!(heard.len(), 3);
        let middle = whole.pieces.iter().find(|piece| piece.1 == 1).unwrap().0 + 10_000;
        assert_eq!(whole.at(middle), Some(1));
        assert!((whole.samples[middle] - 0.2).abs() < 1e-6);
        assert_ne!(Background::new(files, 6).take(60_000).unwrap().samples, whole.samples);
    }
}
