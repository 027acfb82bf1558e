//! Work on many items by many threads, results in the items' order.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::bounded;
use wakegate::{Error, ErrorKind, Result};

/// How many items a thread may be ahead of the first result that is still missing.
const AHEAD: usize = 4;

/// How much is worked on at a time.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Threads that work.
    pub threads: usize,
    /// Bytes that items may hold before they have been worked on. One more item may wait beyond
    /// them.
    pub held: u64,
}

impl Bounds {
    /// So many `threads`, no more than `items`, for items that hold nothing.
    #[must_use]
    pub fn of(threads: usize, items: usize) -> Self {
        Self { threads: threads.min(items).max(1), held: u64::MAX }
    }
}

/// Feeds the items of a slice.
pub fn each<'t, T>(items: &'t [T]) -> impl FnOnce(&mut Give<'_, &'t T, ()>) {
    move |give| {
        let _ = items.iter().all(|item| give(item, (), 0));
    }
}

/// Hands an item on: what stays with it to the end, what is used up by the work, and the bytes
/// that this holds. `false` when no more are wanted.
pub type Give<'g, H, A> = dyn FnMut(H, A, u64) -> bool + 'g;

/// Runs `work` on every item that `feed` gives, each in one of the threads that own a state made
/// by `make`, and hands the results to `sink` in the items' order.
///
/// At most `AHEAD` items a thread are ahead of the oldest unfinished one, so memory doesn't
/// grow with the number of items; `feed` has a thread of its own, and waits. A panic in `work`
/// becomes that item's error, and the thread makes a new state. `sink` ends the run early by
/// returning `false`.
///
/// # Errors
/// The first of `sink`; [`ErrorKind::Runtime`] where `feed` panicked.
pub fn in_order<H: Send + Sync, A: Send, S, R: Send>(
    bounds: Bounds,
    feed: impl FnOnce(&mut Give<'_, H, A>) + Send,
    make: impl Fn() -> Result<S> + Sync,
    work: impl Fn(&mut S, &H, A) -> Result<R> + Sync,
    mut sink: impl FnMut(H, Result<R>) -> Result<bool>,
) -> Result<()> {
    let room = bounds.threads * AHEAD;
    let window = Window::new(room, bounds.held);
    let (give, jobs) = bounded::<(usize, H, A, u64)>(room);
    let (done, results) = bounded::<(usize, H, Result<R>)>(room);
    std::thread::scope(|scope| {
        for _ in 0..bounds.threads {
            let (jobs, done, make, work, window) =
                (jobs.clone(), done.clone(), &make, &work, &window);
            scope.spawn(move || {
                let mut state = None;
                for (index, head, body, bytes) in jobs {
                    let result = guarded(&mut state, make, |state| work(state, &head, body));
                    window.release(bytes);
                    if done.send((index, head, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((jobs, done));
        let window = &window;
        let feeder = scope.spawn(move || {
            let mut given = 0;
            let fed = catch_unwind(AssertUnwindSafe(|| {
                feed(&mut |head, body, bytes| {
                    let wanted =
                        window.enter(bytes) && give.send((given, head, body, bytes)).is_ok();
                    given += usize::from(wanted);
                    wanted
                });
            }));
            (given, fed.map_err(|panic| internal(panic.as_ref())))
        });
        // Whatever the way out: the feeder ends when it sees it closed, and the threads with it.
        let _closed = Closed(window);
        let results = results;
        let mut early = BTreeMap::new();
        let mut next = 0;
        for (index, head, result) in &results {
            early.insert(index, (head, result));
            while let Some((head, result)) = early.remove(&next) {
                next += 1;
                if !sink(head, result)? {
                    return Ok(());
                }
                window.leave();
            }
        }
        match feeder.join() {
            Ok((given, Ok(()))) if given == next => Ok(()),
            Ok((_, Err(error))) => Err(error),
            _ => Err(lost()),
        }
    })
}

/// Which items may be worked on beside the oldest one that is not finished.
struct Window {
    state: Mutex<State>,
    changed: Condvar,
    room: usize,
    held: u64,
}

#[derive(Default)]
struct State {
    items: usize,
    held: u64,
    closed: bool,
}

impl Window {
    fn new(room: usize, held: u64) -> Self {
        Self { state: Mutex::default(), changed: Condvar::new(), room, held }
    }

    /// Waits until there is room for an item that holds so many bytes; `false` where none is
    /// wanted any more.
    fn enter(&self, bytes: u64) -> bool {
        let full = |state: &mut State| {
            let heavy = state.held > 0 && state.held.saturating_add(bytes) > self.held;
            !state.closed && (state.items >= self.room || heavy)
        };
        let state = self.changed.wait_while(self.lock(), full);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.items += 1;
        state.held = state.held.saturating_add(bytes);
        !state.closed
    }

    /// An item's bytes are used up.
    fn release(&self, bytes: u64) {
        self.change(|state| state.held = state.held.saturating_sub(bytes));
    }

    /// The oldest item is finished.
    fn leave(&self) {
        self.change(|state| state.items = state.items.saturating_sub(1));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes the window when it goes.
struct Closed<'w>(&'w Window);

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.closed = true);
    }
}

/// Runs `work` on the state, made first where there is none. A panic leaves none.
fn guarded<S, R>(
    state: &mut Option<S>,
    make: &impl Fn() -> Result<S>,
    work: impl FnOnce(&mut S) -> Result<R>,
) -> Result<R> {
    let mut panicked = true;
    let result = caught(|| {
        if state.is_none() {
            *state = Some(make()?);
        }
        let result = match state {
            Some(state) => work(state),
            None => Err(lost()),
        };
        panicked = false;
        result
    });
    if panicked {
        *state = None;
    }
    result
}

/// Runs `work`; a panic in it becomes an error.
///
/// # Errors
/// Those of `work`; [`ErrorKind::Runtime`] for a panic.
pub fn caught<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(internal(panic.as_ref())))
}

fn internal(panic: &(dyn Any + Send)) -> Error {
    Error::new(ErrorKind::Runtime, "internal failure")
        .found(panic_text(panic))
        .hint("please report it with this recording's form (format, rate, channels)")
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lost() -> Error {
    Error::new(ErrorKind::Runtime, "the worker threads ended too early")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn bounds(threads: usize) -> Bounds {
        Bounds { threads, held: u64::MAX }
    }

    fn count(last: usize) -> impl FnOnce(&mut Give<'_, usize, ()>) + Send {
        move |give| {
            let _ = (0..last).all(|item| give(item, (), 0));
        }
    }

    #[test]
    fn results_come_in_order_and_a_panic_is_one_items_error() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            in_order(
                bounds(threads),
                count(200),
                || Ok(0_usize),
                |made, &item, ()| {
                    *made += 1;
                    std::thread::sleep(std::time::Duration::from_micros((item as u64 * 37) % 300));
                    assert!(item != 13, "item  thirteen");
                    Ok(item * 2)
                },
                |item, result| {
                    seen.push((item, result.map_err(|error| error.to_string())));
                    Ok(true)
                },
            )
            .unwrap();
            assert_eq!(seen.len(), 200);
            for (place, (item, result)) in seen.iter().enumerate() {
                assert_eq!(place, *item);
                match result {
                    Ok(double) => assert_eq!(*double, 2 * item),
                    Err(text) => {
                        assert_eq!(*item, 13);
                        assert!(text.starts_with("internal failure: item thirteen"), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_sink_can_end_the_run() {
        let mut seen = 0;
        let sink = |_, _| {
            seen += 1;
            Ok(seen < 5)
        };
        in_order(bounds(3), count(1_000), || Ok(()), |(), _, ()| Ok(()), sink).unwrap();
        assert_eq!(seen, 5);
    }

    #[test]
    fn a_feeder_that_breaks_is_an_error_after_what_it_gave() {
        let feed = |give: &mut Give<'_, usize, ()>| {
            assert!(give(0, (), 0));
            panic!("no  more");
        };
        let mut seen = Vec::new();
        let sink = |item, _| {
            seen.push(item);
            Ok(true)
        };
        let error = in_order(bounds(2), feed, || Ok(()), |(), _, ()| Ok(()), sink).unwrap_err();
        assert!(error.to_string().starts_with("internal failure: no more"), "{error}");
        assert_eq!(seen, [0]);
    }

    #[test]
    fn what_items_hold_stays_within_its_bound_and_one_that_is_larger_goes_alone() {
        static HELD: AtomicU64 = AtomicU64::new(0);
        static MOST: AtomicU64 = AtomicU64::new(0);
        let sizes = [10, 60, 40, 90, 250, 10, 10, 100];
        let feed = |give: &mut Give<'_, u64, u64>| {
            for bytes in sizes.into_iter().cycle().take(400) {
                HELD.fetch_add(bytes, Ordering::SeqCst);
                assert!(give(bytes, bytes, bytes));
            }
        };
        let work = |(): &mut (), _: &u64, bytes: u64| {
            MOST.fetch_max(HELD.load(Ordering::SeqCst), Ordering::SeqCst);
            std::thread::yield_now();
            HELD.fetch_sub(bytes, Ordering::SeqCst);
            Ok(())
        };
        let mut seen = 0;
        let sink = |_, result: Result<()>| {
            result?;
            seen += 1;
            Ok(true)
        };
        in_order(Bounds { threads: 5, held: 100 }, feed, || Ok(()), work, sink).unwrap();
        assert_eq!(seen, 400);
        // The one that waits is held too.
        let most = MOST.load(Ordering::SeqCst);
        assert!((250..=350).contains(&most), "{most}");
    }
}
