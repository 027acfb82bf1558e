//! Background without an end, from recordings in a random order.

use std::path::PathBuf;

use wakegate::audio::{SAMPLE_RATE, Source};
use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::decode::FileSource;
use wakegate_lab::eval::mix::{Snr, join};
use wakegate_lab::eval::random::Random;

/// Samples over which one recording goes over into the next: 50 ms.
const FADE: usize = 800;
/// Samples of the frames that are cut out where they are silent: 50 ms.
const FRAME: usize = 800;
/// Samples over which the sides of a cut go over into each other: 5 ms.
const CUT_FADE: usize = 80;

/// The background, read as far as it is needed. What is silent in it, or nearly so, is cut out:
/// a word at a ratio to it would be as silent.
pub struct Background {
    files: Vec<PathBuf>,
    order: Vec<usize>,
    random: Random,
    open: Option<(usize, FileSource)>,
    block: Vec<f32>,
    /// What was read but not given yet, of the open file.
    left: Vec<f32>,
    /// Whether silence was cut out since the last sample.
    cut: bool,
    /// Power below which a frame is silent.
    floor: f64,
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
    /// Of these files; all of them come before one comes again. What is more than `-floor_db`
    /// below full scale is silent.
    pub fn new(files: Vec<PathBuf>, floor_db: f64, seed: u64) -> Self {
        let floor = 10_f64.powf(floor_db / 10.0);
        let random = Random::named(seed, "background");
        let block = vec![0.0; SAMPLE_RATE as usize];
        Self {
            files,
            order: Vec::new(),
            random,
            open: None,
            block,
            left: Vec::new(),
            cut: false,
            floor,
        }
    }

    /// The path of the file with this number.
    pub fn path(&self, file: usize) -> &PathBuf {
        &self.files[file]
    }

    /// The next `count` samples.
    ///
    /// # Errors
    /// Those of the recording that can't be read, and [`ErrorKind::Audio`] where all of them are
    /// silent.
    pub fn take(&mut self, count: usize) -> Result<Stretch> {
        let mut stretch = Stretch { samples: Vec::with_capacity(count + FADE), pieces: Vec::new() };
        if let Some((file, _)) = &self.open {
            stretch.pieces.push((0, *file));
            stretch.samples.append(&mut self.left);
        }
        // With a fade in hand: a join at the end changes samples that are not given yet.
        let mut silent = 0;
        while stretch.samples.len() < count + FADE {
            let (mut block, mut fade) = self.read()?;
            if block.is_empty() {
                if silent > self.files.len() {
                    return Err(Error::new(ErrorKind::Audio, "the background is silent")
                        .expected("sound in one of its recordings")
                        .found("nothing above the floor")
                        .hint("a lower --floor-db lets quieter sound in"));
                }
                let file = self.open_next()?;
                (block, _) = self.read()?;
                fade = FADE.min(stretch.samples.len()).min(block.len());
                silent += 1;
                stretch.pieces.push((stretch.samples.len() - fade, file));
            }
            if !block.is_empty() {
                silent = 0;
            }
            join(&mut stretch.samples, &block, fade);
        }
        self.left = stretch.samples.split_off(count);
        Ok(stretch)
    }

    /// The next block of the open file that is not silent, with the samples over which it is to
    /// be faded; empty at the end, and where no file is open.
    fn read(&mut self) -> Result<(Vec<f32>, usize)> {
        let mut kept: Vec<f32> = Vec::new();
        let mut fade = 0;
        while kept.is_empty() {
            let Some((_, source)) = &mut self.open else { break };
            let mut filled = 0;
            while filled < self.block.len() {
                match source.read(&mut self.block[filled..])? {
                    0 => break,
                    read => filled += read,
                }
            }
            if filled == 0 {
                break;
            }
            for frame in self.block[..filled].chunks(FRAME) {
                if Snr::MeanPower.level(frame) < self.floor {
                    self.cut = true;
                    continue;
                }
                let over = if std::mem::take(&mut self.cut) { CUT_FADE } else { 0 };
                if kept.is_empty() {
                    fade = over;
                }
                join(&mut kept, frame, over);
            }
        }
        Ok((kept, fade))
    }

    fn open_next(&mut self) -> Result<usize> {
        if self.order.is_empty() {
            self.order = (0..self.files.len()).collect();
            self.random.shuffle(&mut self.order);
        }
        let file = self.order.pop().unwrap_or(0);
        self.cut = false;
        self.open = Some((file, FileSource::open(&self.files[file])?));
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav;

    #[test]
    fn a_stretch_does_not_depend_on_how_it_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<PathBuf> = [3_000, 20_000, 700]
            .into_iter()
            .enumerate()
            .map(|(index, count)| {
                let path = folder.path().join(format!("{index}.wav"));
                let mut samples = vec![0.1 * (index + 1) as f32; count];
                if index == 1 {
                    // Silence across the end of a block, on no frame's edge.
                    samples[14_500..17_100].fill(0.0);
                }
                std::fs::write(&path, wav::bytes(&samples, wav::SampleFormat::Float32)).unwrap();
                path
            })
            .collect();
        let whole = Background::new(files.clone(), -70.0, 5).take(60_000).unwrap();
        let mut parts = Background::new(files.clone(), -70.0, 5);
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
        let middle = whole.pieces.iter().find(|piece| piece.1 == 1).unwrap().0 + 5_000;
        assert_eq!(whole.at(middle), Some(1));
        assert!((whole.samples[middle] - 0.2).abs() < 1e-6);
        let runs = whole.samples.split(|sample| *sample != 0.0).map(<[f32]>::len);
        assert!(runs.max() < Some(2 * FRAME), "longer silence is cut out");
        assert_ne!(Background::new(files, -70.0, 6).take(60_000).unwrap().samples, whole.samples);
        let path = folder.path().join("silent.wav");
        std::fs::write(&path, wav::bytes(&[0.0; 30_000], wav::SampleFormat::Int16)).unwrap();
        let error = Background::new(vec![path.clone(), path], -70.0, 1).take(10).err().unwrap();
        assert!(error.to_string().contains("the background is silent"), "{error}");
    }
}
