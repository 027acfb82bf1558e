//! Marks of the pipeline, made into times of stages.

use super::{Meter, Stage};
use wakegate::pipeline::Part;

/// What a stage took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cost {
    pub(super) ns: u64,
    pub(super) allocations: u64,
}

impl Cost {
    pub(super) fn add(&mut self, other: Self) {
        self.ns += other.ns;
        self.allocations += other.allocations;
    }
}

/// A stopwatch that gives what passed since it was last asked.
pub(super) struct Stopwatch<'m, M> {
    meter: &'m M,
    last_ns: u64,
    last_allocations: u64,
}

impl<'m, M: Meter> Stopwatch<'m, M> {
    pub(super) fn start(meter: &'m M) -> Self {
        let last_allocations = meter.allocations().unwrap_or(0);
        Self { meter, last_ns: meter.now(), last_allocations }
    }

    pub(super) fn lap(&mut self) -> Cost {
        let (ns, allocations) = (self.meter.now(), self.meter.allocations().unwrap_or(0));
        let cost = Cost { ns: ns - self.last_ns, allocations: allocations - self.last_allocations };
        (self.last_ns, self.last_allocations) = (ns, allocations);
        cost
    }
}

/// Sums the parts of the pipeline's work and gives a stage's cost when it is complete.
///
/// A step is what lies between the starts of two runs of the spotter: one run, and the frames
/// of the next step.
#[derive(Debug, Default)]
pub(super) struct StageTimer {
    part: Option<Part>,
    front_end: Cost,
    decision: Cost,
    spotter: Cost,
    /// Whether the step began with a run: the first one of a stream does not.
    whole: bool,
}

impl StageTimer {
    /// The part that was at work took `cost`; `next` begins now.
    pub(super) fn mark(&mut self, next: Part, cost: Cost, mut done: impl FnMut(Stage, Cost)) {
        self.close(cost, &mut done);
        if next == Part::Spotter {
            if self.whole {
                let mut listening = self.spotter;
                listening.add(self.front_end);
                listening.add(self.decision);
                done(Stage::FrontEnd, self.front_end);
                done(Stage::Decision, self.decision);
                done(Stage::Listening, listening);
            }
            (self.front_end, self.decision) = (Cost::default(), Cost::default());
            self.whole = true;
        }
        self.part = Some(next);
    }

    /// The pipeline has returned; what was at work took `cost`.
    pub(super) fn end(&mut self, cost: Cost, mut done: impl FnMut(Stage, Cost)) {
        self.close(cost, &mut done);
        self.part = None;
    }

    fn close(&mut self, cost: Cost, done: &mut impl FnMut(Stage, Cost)) {
        match self.part {
            None => {}
            Some(Part::FrontEnd) => self.front_end.add(cost),
            Some(Part::Decision) => self.decision.add(cost),
            Some(Part::Spotter) => {
                self.spotter = cost;
                done(Stage::Spotter, cost);
            }
            Some(Part::Verifier) => done(Stage::Verifier, cost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_one_run_and_the_frames_up_to_the_next() {
        use Part::{Decision, FrontEnd, Spotter, Verifier};
        let mut laps = StageTimer::default();
        let mut found = Vec::new();
        let mut done = |stage, cost: Cost| found.push((stage, cost.ns, cost.allocations));
        // The part that begins, and what the one before it took.
        for (next, ns) in [
            (FrontEnd, 99), // Nobody's: the pipeline had not begun.
            (Decision, 1),
            (Spotter, 2),
            (Decision, 100),
            (FrontEnd, 4),
            (Decision, 8),
            (Verifier, 16),
            (Decision, 1_000),
            (Spotter, 32),
        ] {
            laps.mark(next, Cost { ns, allocations: ns / 50 }, &mut done);
        }
        laps.end(Cost { ns: 200, allocations: 0 }, &mut done);
        assert_eq!(
            found,
            [
                (Stage::Spotter, 100, 2),
                (Stage::Verifier, 1_000, 20),
                (Stage::FrontEnd, 8, 0),
                (Stage::Decision, 4 + 16 + 32, 0),
                (Stage::Listening, 100 + 8 + 52, 2),
                (Stage::Spotter, 200, 0),
            ]
        );
    }
}
