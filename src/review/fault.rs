//! Places where a test ends the process as a crash would. They exist in the crate's own tests
//! only: in every other build a place is nothing.

/// The place at which this process dies.
#[cfg(test)]
static ARMED: std::sync::OnceLock<String> = std::sync::OnceLock::new();

/// From now on, this process dies at the place `name`.
#[cfg(test)]
pub(super) fn arm(name: &str) {
    ARMED.set(name.to_owned()).unwrap();
}

/// Dies here if the test asks for it.
#[cfg(test)]
pub(super) fn point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    if ARMED.get().is_some_and(|armed| armed == name) {
        kill_process(getpid(), Signal::KILL).unwrap();
        unreachable!("a killed process goes on");
    }
}

/// Nothing.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn point(_name: &str) {}
