//! What whoever can write the database tries without the key: that a deletion is none, that a
//! label is lost, that a clip lives on. An act is done, or it fails; it never says that it is done.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::review_support::{DAY_MS, HandClock, open_settings, person, queue, reopen, store};
use rusqlite::Connection;
use wakegate::review::{ClipId, Label, Person, Queue, Settings};

/// A queue of three clips that was closed.
struct Victim {
    _folder: tempfile::TempDir,
    directory: PathBuf,
    clock: Arc<HandClock>,
    settings: Settings,
    ids: Vec<ClipId>,
}

impl Victim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (directory, clock) = (folder.path().join("queue"), HandClock::new());
        let settings = open_settings();
        let mut queue = queue(&directory, &settings, &clock);
        let ids = (0..3).map(|seed| store(&mut queue, seed)).collect();
        drop(queue);
        Self { _folder: folder, directory, clock, settings, ids }
    }

    fn open(&self) -> wakegate::Result<Queue> {
        reopen(&self.directory, &self.settings, &self.clock)
    }

    fn alter(&self, sql: &str) {
        Connection::open(self.directory.join("queue.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn clips(&self) -> i64 {
        let db = Connection::open(self.directory.join("queue.db")).unwrap();
        db.query_row("SELECT COUNT(*) FROM clip NOT INDEXED", [], |row| row.get(0)).unwrap()
    }

    fn problems(&self) -> Vec<String> {
        Queue::inspect(&self.directory, &self.settings, None).unwrap().problems
    }
}

fn ann() -> Person {
    person("Ann")
}

/// What makes a change that is asked for be none, or another.
const TRAPS: [&str; 9] = [
    "CREATE TRIGGER t BEFORE DELETE ON clip BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t BEFORE UPDATE ON clip BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t BEFORE INSERT ON clip BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t AFTER DELETE ON clip BEGIN
         INSERT INTO clip VALUES (OLD.id, OLD.record, OLD.stored_ms, OLD.expires_ms,
             OLD.wrapped_key, OLD.sealed, OLD.label, NULL, NULL); END",
    "CREATE TABLE kept (a, b, c); CREATE TRIGGER t BEFORE DELETE ON clip BEGIN
         INSERT INTO kept VALUES (OLD.id, OLD.wrapped_key, OLD.sealed); END",
    "CREATE TRIGGER t BEFORE INSERT ON score BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t BEFORE INSERT ON tally BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t BEFORE INSERT ON audit BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TRIGGER t BEFORE INSERT ON consent BEGIN SELECT RAISE(IGNORE); END",
];

#[test]
fn a_trap_in_the_database_closes_the_queue_and_the_verification_names_it() {
    for sql in TRAPS {
        let victim = Victim::new();
        assert_eq!(victim.problems(), Vec::<String>::new());
        victim.alter(sql);
        let error = victim.open().err().unwrap_or_else(|| panic!("opened: {sql}")).to_string();
        assert!(error.contains("database is altered; the queue is closed"), "{sql}: {error}");
        assert!(error.contains("purge --all"), "{error}");
        let problems = victim.problems();
        assert!(problems.iter().any(|p| p.contains("foreign trigger t")), "{sql}: {problems:?}");
        // The way out that the message names.
        let settings = Settings { directory: victim.directory.clone(), ..victim.settings.clone() };
        wakegate::review::destroy(&settings).unwrap();
        assert!(!Queue::exists(&victim.directory).unwrap());
    }
}

type Act = fn(&mut Queue, &ClipId) -> wakegate::Result<()>;

/// Everything that changes something.
const ACTS: [(&str, Act); 9] = [
    ("label accidental", |q, id| q.label(&ann(), id, Label::Accidental).map(drop)),
    ("label intended", |q, id| q.label(&ann(), id, Label::Intended).map(drop)),
    ("delete", |q, id| q.delete(&ann(), id).map(drop)),
    ("play", |q, _| q.next_for(&ann()).map(drop)),
    ("list", |q, _| q.list(&ann()).map(drop)),
    ("sweep", |q, _| q.sweep().map(drop)),
    ("purge", |q, _| q.purge_all(&ann()).map(drop)),
    ("revoke", |q, _| q.revoke_consent(&ann()).map(drop)),
    ("rotate", |q, _| q.rotate_key(&ann())),
];

#[test]
fn a_trap_that_is_set_while_the_queue_is_open_lets_no_act_say_that_it_is_done() {
    for (what, act) in ACTS {
        let victim = Victim::new();
        let mut queue = victim.open().unwrap();
        victim.alter(TRAPS[0]);
        let error = act(&mut queue, &victim.ids[0]).expect_err(what).to_string();
        assert!(error.contains("the trigger t, which is not its own"), "{what}: {error}");
        assert_eq!(victim.clips(), 3, "{what}");
    }
}

/// Puts an index in the place of the one by expiry that still has what the rows said before
/// `sql`: the file that results is no longer what SQLite would make.
fn behind_the_index(directory: &Path, name: &str, sql: &str) {
    let path = directory.join("queue.db");
    let open = || {
        let db = Connection::open(&path).unwrap();
        db.execute_batch("PRAGMA writable_schema = ON").unwrap();
        db
    };
    let (db, find) = (open(), "SELECT rootpage, sql FROM sqlite_schema WHERE name = ?1");
    let (page, text): (i64, Option<String>) =
        db.query_row(find, [name], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    db.execute("DELETE FROM sqlite_schema WHERE name = ?1", [name]).unwrap();
    drop(db);
    let db = open();
    db.execute_batch(sql).unwrap();
    db.execute(
        "INSERT INTO sqlite_schema VALUES ('index', ?1, 'clip', ?2, ?3)",
        rusqlite::params![name, page, text],
    )
    .unwrap();
}

#[test]
fn an_index_that_hides_what_is_due_hides_it_from_nobody() {
    let victim = Victim::new();
    victim.alter(&format!("UPDATE clip SET expires_ms = expires_ms + {}", 900 * DAY_MS));
    let back = format!("UPDATE clip SET expires_ms = expires_ms - {}", 900 * DAY_MS);
    behind_the_index(&victim.directory, "clip_by_expiry", &back);
    assert!(victim.problems().iter().any(|problem| problem.starts_with("the file: ")));
    victim.clock.pass(8 * DAY_MS);
    // Gone, or an error: never a queue that is open and still has them.
    let opened = victim.open().and_then(|mut queue| queue.next_for(&ann()).map(|c| c.is_some()));
    assert!(opened.is_err() || (opened == Ok(false) && victim.clips() == 0), "{opened:?}");
}

#[test]
fn a_clip_whose_dates_were_moved_is_deleted_when_the_queue_opens() {
    for column in ["expires_ms", "stored_ms"] {
        let victim = Victim::new();
        let later =
            format!("UPDATE clip SET {column} = {column} + {} WHERE rowid = 2", 900 * DAY_MS);
        victim.alter(&later);
        let problems = victim.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("the clip's row is altered"), "{problems:?}");
        let mut queue = victim.open().unwrap();
        assert_eq!(queue.waiting().unwrap(), 2, "{column}");
        assert_eq!(victim.problems(), Vec::<String>::new());
        let mut damaged = 0;
        let mut take = |line: String| {
            damaged += usize::from(line.contains("\"act\":\"damaged\""));
            Ok(())
        };
        Queue::audit_lines(&victim.directory, &mut take).unwrap();
        assert_eq!(damaged, 1);
    }
}

#[test]
fn a_database_of_other_bytes_never_opens_as_an_empty_queue() {
    // 60 files, each with stretches of other bytes, from a seed of its own.
    for seed in 0..60_u64 {
        let victim = Victim::new();
        let path = victim.directory.join("queue.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(1);
        let mut draw = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state % below as u64) as usize
        };
        for _ in 0..1 + draw(8) {
            let (at, length) = (draw(bytes.len()), 1 + draw(64));
            let end = (at + length).min(bytes.len());
            bytes[at..end].iter_mut().for_each(|byte| *byte = draw(256) as u8);
        }
        std::fs::write(&path, &bytes).unwrap();
        // It may refuse, or find damaged clips; it does not panic, and what it plays is whole.
        let Ok(mut queue) = victim.open() else { continue };
        for _ in 0..4 {
            let Ok(Some(clip)) = queue.next_for(&ann()) else { break };
            let samples = clip.audio.samples().to_vec();
            let known = (0..3).any(|seed| crate::review_support::noise(48_000, seed) == samples);
            assert!(known, "seed {seed}: another clip than was stored");
            drop(queue.delete(&ann(), &clip.id));
        }
    }
}
