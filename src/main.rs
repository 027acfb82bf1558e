//! The `wakegate` command line.

fn main() {}
