//! A test that can't run here says so where it is seen.
#![allow(dead_code)]

use std::fs::OpenOptions;
use std::io::Write;

/// Notes that `test` is skipped, and why. `make test` ends with the list of them: what a passed
/// test prints, the test runner swallows. With `WAKEGATE_REQUIRE=all` a skip is a failure.
pub fn skipped(test: &str, why: &str) {
    let required = std::env::var_os("WAKEGATE_REQUIRE").is_some_and(|value| value == "all");
    assert!(!required, "{test} is skipped, and WAKEGATE_REQUIRE=all asks for every test: {why}");
    let list = concat!(env!("CARGO_TARGET_TMPDIR"), "/skipped.txt");
    let mut list = OpenOptions::new().create(true).append(true).open(list).unwrap();
    // One write a line, so that test programs side by side do not mix theirs.
    list.write_all(format!("skipped: {test}: {why}\n").as_bytes()).unwrap();
}
