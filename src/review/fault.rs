//! Places where a test ends the process as a power cut would. They exist in the crate's own
//! tests only: in every other build a place is nothing.

/// Names the place, in the tests' children, at which to die.
#[cfg(test)]
pub(super) const VARIABLE: &str = "WAKEGATE_TEST_FAULT";

/// Dies here if the test asks for it.
#[cfg(test)]
pub(super) fn point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    if std::env::var(VARIABLE).is_ok_and(|wanted| wanted == name) {
        kill_process(getpid(), Signal::KILL).unwrap();
        unreachable!("a killed process goes on");
    }
}

/// Nothing.
#[cfg(not(test))]
#[inline(always)]
pub(super) fn point(_name: &str) {}
