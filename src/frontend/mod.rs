//! Samples to log-mel frames. Pure: no threads, no clock, no files.
