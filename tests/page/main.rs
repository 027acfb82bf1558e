//! The reviewer's page.

#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/review/mod.rs"]
mod review_support;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/web/mod.rs"]
mod web_support;

mod review_trace;
mod review_web;
mod review_web_attacks;
