//! What the bootstrap draws: whole speakers or recordings, and blocks of time.
//!
//! The false accepts of a long stream come in clusters: a film, a visit, an advertisement that is
//! on every half hour. Whoever draws hours one by one as if they were independent makes an
//! interval that is too narrow, and so does Poisson's. Drawing stretches that are longer than a
//! cluster keeps each whole: the block bootstrap. Blocks may begin anywhere and overlap (Künsch,
//! 1989), and the stream is a circle, so that its ends are in as many blocks as its middle
//! (Politis and Romano, 1992). "Anywhere" is every tenth of a block here: a block is a run of
//! [`CELLS`] cells.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Serialize;

use super::matching::Recording;
use super::random::Random;

/// Cells of a block.
pub const CELLS: usize = 10;

/// What the bootstrap draws from, by number from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootstrapUnits {
    count: usize,
    /// Drawn one by one.
    singles: Vec<usize>,
    /// Drawn in runs of [`CELLS`], in the order of time.
    cells: Vec<usize>,
    /// The place of each unit in `cells`, if it has one.
    places: Vec<Option<usize>>,
}

/// Of how many units something comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// Speakers and recordings.
    pub singles: usize,
    /// Blocks of time.
    pub blocks: usize,
}

impl Drawn {
    /// Both together.
    pub fn total(self) -> usize {
        self.singles + self.blocks
    }
}

impl BootstrapUnits {
    /// `count` units that are drawn one by one.
    pub fn singles(count: usize) -> Self {
        Self::with_cells(count, Vec::new())
    }

    /// `cells` cells of one stream of time.
    pub fn stream(cells: usize) -> Self {
        Self::with_cells(cells, (0..cells).collect())
    }

    /// The units of `recordings` and their labels.
    pub fn of(recordings: &[Recording]) -> Self {
        let spans = recordings.iter().flat_map(|r| r.spans().iter().map(|span| span.unit + 1));
        let count = spans.chain(recordings.iter().map(|r| r.units().end)).max().unwrap_or(0);
        let cut = recordings.iter().filter(|recording| recording.is_cut());
        Self::with_cells(count, cut.flat_map(Recording::units).collect())
    }

    fn with_cells(count: usize, cells: Vec<usize>) -> Self {
        let mut places = vec![None; count];
        cells.iter().enumerate().for_each(|(place, &cell)| places[cell] = Some(place));
        let singles = (0..count).filter(|&unit| places[unit].is_none()).collect();
        Self { count, singles, cells, places }
    }

    /// How many there are, cells included.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How many blocks the cells come to.
    pub fn blocks(&self) -> usize {
        self.cells.len().div_ceil(CELLS)
    }

    /// The cells of each block, without overlap.
    pub(super) fn each_block(&self) -> impl Iterator<Item = &[usize]> {
        self.cells.chunks(CELLS)
    }

    /// Of how many units `some` are; cells count by their block.
    pub fn counted(&self, some: impl Iterator<Item = usize>) -> Drawn {
        let (mut singles, mut blocks) = (BTreeSet::new(), BTreeSet::new());
        for unit in some {
            match self.places[unit] {
                Some(place) => blocks.insert(place / CELLS),
                None => singles.insert(unit),
            };
        }
        Drawn { singles: singles.len(), blocks: blocks.len() }
    }

    /// Draws as many singles as there are, and as many cells in runs that begin anywhere:
    /// `weights` says how often each unit is drawn.
    pub(super) fn draw(&self, random: &mut Random, weights: &mut [u32]) {
        weights.fill(0);
        for _ in 0..self.singles.len() {
            weights[self.singles[random.below(self.singles.len())]] += 1;
        }
        let mut left = self.cells.len();
        while left > 0 {
            let start = random.below(self.cells.len());
            let run = CELLS.min(left);
            (start..start + run).for_each(|at| weights[self.cells[at % self.cells.len()]] += 1);
            left -= run;
        }
    }
}

/// The cells of a recording of `length` samples that is cut every `cell`, from unit `first` on.
pub(super) fn cells(first: usize, length: Option<u64>, cell: Option<u64>) -> Range<usize> {
    let count = length.zip(cell).map_or(1, |(length, cell)| length.div_ceil(cell).max(1));
    first..first + count as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_drawn_in_runs_and_singles_one_by_one() {
        let units = BootstrapUnits::with_cells(103, (2..102).collect());
        let mut random = Random::new(4);
        let mut weights = vec![0; 103];
        let mut drawn = vec![0_u32; 103];
        for _ in 0..2_000 {
            units.draw(&mut random, &mut weights);
            assert_eq!([0, 1, 102].iter().map(|&u: &usize| weights[u]).sum::<u32>(), 3);
            let cells = &weights[2..102];
            assert_eq!(cells.iter().sum::<u32>(), 100);
            // Ten runs have at most ten beginnings, on the circle.
            let rises = (0..100).filter(|&n| cells[n] > cells[(n + 99) % 100]).count();
            assert!((0..=10).contains(&rises), "{weights:?}");
            drawn.iter_mut().zip(&weights).for_each(|(sum, weight)| *sum += weight);
        }
        // Each as often as any other, at the ends of the stream too.
        assert!(drawn.iter().all(|count| (1_750..=2_250).contains(count)), "{drawn:?}");
        assert_eq!((units.blocks(), units.each_block().count()), (10, 10));
        let counted = units.counted([0, 1, 1, 2, 11, 12, 102].into_iter());
        assert_eq!(counted, Drawn { singles: 3, blocks: 2 });
    }

    #[test]
    fn the_units_of_recordings_are_their_cells_and_all_others() {
        let plain = Recording::new(Some(900), 0, Vec::new(), Vec::new());
        let long = Recording::new(Some(2_050), 1, Vec::new(), Vec::new()).in_blocks(1_000);
        let units = BootstrapUnits::of(&[plain, long]);
        assert_eq!(units.singles, [0]);
        assert_eq!(units.cells, (1..22).collect::<Vec<_>>());
        assert_eq!((units.count(), units.blocks()), (22, 3));
    }
}
