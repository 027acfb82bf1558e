//! Allocations of the hot path, counted: none outside of the networks' runtime.
//!
//! The counting allocator is here and not in the program: there it would cost something with
//! every allocation. `cargo test --test bench_allocations -- --nocapture` prints the counts.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use wakegate::model::Model;
use wakegate_lab::bench::{Meter, Plan, Stage, Workload, run};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is the system allocator's own; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A clock that goes on by a microsecond each time it is read, beside the count.
#[derive(Default)]
struct Counted(Cell<u64>);

impl Meter for Counted {
    fn now(&self) -> u64 {
        self.0.set(self.0.get() + 1_000);
        self.0.get()
    }

    fn wait_until(&self, at: u64) {
        self.0.set(self.0.get().max(at));
    }

    fn allocations(&self) -> Option<u64> {
        Some(COUNT.get())
    }
}

#[test]
fn the_hot_path_allocates_nothing_outside_of_the_networks() {
    let model = Model::embedded().unwrap();
    let plan = Plan { warmup_s: 8.0, seconds: 24.0, pace: true, rate: 48_000 };
    let workload = Workload::built_in();
    let measured = run(&model, &workload, &plan, &Counted::default(), &mut || {}).unwrap();
    let of = |stage: Stage| {
        measured.rows.iter().find(|row| row.stage == stage).unwrap().allocations.unwrap()
    };
    for row in &measured.rows {
        println!(
            "{:<10} {:>8.2} allocations a {}",
            row.stage,
            row.allocations.unwrap(),
            row.per.as_str()
        );
    }
    for stage in [Stage::Ring, Stage::Resample, Stage::FrontEnd, Stage::Decision] {
        assert_eq!(of(stage), 0.0, "{stage}");
    }
    // A candidate takes the names of its word and model along, and a clip its audio.
    let verdicts = measured.candidates as f64;
    assert!(of(Stage::Gate) * measured.hops as f64 <= 4.0 * verdicts, "{}", of(Stage::Gate));
    // The networks' runtime makes a tensor for each result; the same number in every step, or it
    // leaks time: the first step after the warm-up has as many as the last.
    assert!(of(Stage::Spotter) > 0.0 && of(Stage::Verifier) > 0.0, "they are not counted");
    assert_eq!(of(Stage::Spotter).fract(), 0.0, "{}", of(Stage::Spotter));
    // 90 and 440 here, where the verifier holds two networks; how many depends on the processor's
    // kernels. A state made anew for each run would show: that took 122 more of a spotter, and 46
    // of a verifier of one network.
    assert!(of(Stage::Spotter) <= 110.0, "{}", of(Stage::Spotter));
    assert!(of(Stage::Verifier) <= 475.0, "{}", of(Stage::Verifier));
}
