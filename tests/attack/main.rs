//! What an attacker tries, from outside: `make attack` runs all of it.
//!
//! | file | who |
//! |---|---|
//! | `users` | another user of the machine; needs root |
//! | `database` | whoever can write the queue's folder, without the key |
//! | `settings` | a command that would store what the owner's settings forbid |
//! | `disk` | nobody: a disk that is slow, full or only read |
//! | `files` | whoever makes recordings, archives, tables and model packages |
//! | `peers` | whoever speaks HTTP, Wyoming or MQTT to the daemon, or is started by it |
//! | `web` | whoever can reach the reviewer's page without a link |
//! | `parsers` | altered bytes, for a bounded time, at every parser of them |
//!
//! `promises` holds docs/THREATS.md to these.

#[path = "../support/cli/mod.rs"]
mod cli_support;
#[path = "../support/daemon/mod.rs"]
mod daemon_support;
#[path = "../support/disk/mod.rs"]
mod disk_support;
#[path = "../support/fuzz/mod.rs"]
mod fuzz_support;
#[path = "../support/review/mod.rs"]
mod review_support;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/web/mod.rs"]
mod web_support;
#[path = "../support/wyoming/mod.rs"]
mod wyoming_support;

mod database;
mod disk;
mod files;
mod parsers;
mod peers;
mod promises;
mod settings;
mod users;
mod web;
