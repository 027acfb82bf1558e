//! Work on many items by many threads, results in the items' order.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::bounded;
use wakegate::{Error, ErrorKind, Result};

/// How many items a thread may be ahead of the first result that is still missing.
const AHEAD: usize = 4;

/// Runs `work` on every item, each in one of `threads` threads that own a state made by
/// `make`, and hands the results to `sink` in the items' order.
///
/// At most `AHEAD` items a thread are ahead of the oldest unfinished one, so memory doesn't
/// grow with the number of items. A panic in `work` becomes that item's error, and the thread
/// makes a new state. `sink` ends the run early by returning `false`.
pub fn in_order<T: Sync, S, R: Send>(
    items: &[T],
    threads: usize,
    make: impl Fn() -> Result<S> + Sync,
    work: impl Fn(&mut S, &T) -> Result<R> + Sync,
    mut sink: impl FnMut(&T, Result<R>) -> Result<bool>,
) -> Result<()> {
    let room = threads * AHEAD;
    let (give, jobs) = bounded::<usize>(room);
    let (done, results) = bounded::<(usize, Result<R>)>(room);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (jobs, done, make, work) = (jobs.clone(), done.clone(), &make, &work);
            scope.spawn(move || {
                let mut state = None;
                for index in jobs {
                    let result = guarded(&mut state, make, |state| work(state, &items[index]));
                    if done.send((index, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop((jobs, done));
        // Dropped on the way out, whatever the way: the threads end when they see it gone.
        let (give, results) = (give, results);
        let mut early = BTreeMap::new();
        let mut given = 0;
        for (next, item) in items.iter().enumerate() {
            while given < items.len() && given < next + room {
                give.send(given).map_err(|_| lost())?;
                given += 1;
            }
            let result = loop {
                if let Some(result) = early.remove(&next) {
                    break result;
                }
                let (index, result) = results.recv().map_err(|_| lost())?;
                early.insert(index, result);
            };
            if !sink(item, result)? {
                return Ok(());
            }
        }
        Ok(())
    })
}

/// Runs `work` on the state, made first where there is none. A panic leaves none.
fn guarded<S, R>(
    state: &mut Option<S>,
    make: &impl Fn() -> Result<S>,
    work: impl FnOnce(&mut S) -> Result<R>,
) -> Result<R> {
    let attempt = catch_unwind(AssertUnwindSafe(|| {
        if state.is_none() {
            *state = Some(make()?);
        }
        match state {
            Some(state) => work(state),
            None => Err(lost()),
        }
    }));
    attempt.unwrap_or_else(|panic| {
        *state = None;
        Err(Error::new(ErrorKind::Runtime, "internal failure")
            .found(panic_text(panic.as_ref()))
            .hint("please report it with this recording's form (format, rate, channels)"))
    })
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
    use super::*;

    #[test]
    fn results_come_in_order_and_a_panic_is_one_items_error() {
        let items: Vec<usize> = (0..200).collect();
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            in_order(
                &items,
                threads,
                || Ok(0_usize),
                |made, &item| {
                    *made += 1;
                    std::thread::sleep(std::time::Duration::from_micros((item as u64 * 37) % 300));
                    assert!(item != 13, "item  thirteen");
                    Ok(item * 2)
                },
                |&item, result| {
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
        let items: Vec<usize> = (0..1000).collect();
        let mut seen = 0;
        in_order(
            &items,
            3,
            || Ok(()),
            |(), _| Ok(()),
            |_, _| {
                seen += 1;
                Ok(seen < 5)
            },
        )
        .unwrap();
        assert_eq!(seen, 5);
    }
}
