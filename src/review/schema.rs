//! The form of the queue's database: its tables, and that nothing else is in it.
//!
//! A trigger needs no key: one that ignores deletions would keep every clip. So what the database
//! holds beside rows is held against what belongs there, in every act.

use std::sync::OnceLock;

use rusqlite::Connection;

use super::db::refused;
use crate::{Error, ErrorKind, Result};

/// The form of the database that this version reads and writes.
pub(super) const FORM: i64 = 2;

/// Dates, counts and the names of who did what are in the clear; audio, keys, words and scores
/// never are.
const TABLES: &str = "
CREATE TABLE fact (name TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE clip (
    id TEXT PRIMARY KEY,
    record BLOB NOT NULL,
    stored_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    wrapped_key BLOB NOT NULL,
    sealed BLOB NOT NULL,
    label TEXT,
    leased_by TEXT,
    leased_until_ms INTEGER
) STRICT;
CREATE INDEX clip_by_expiry ON clip (expires_ms);
CREATE TABLE score (n INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE filler (bytes BLOB NOT NULL) STRICT;
CREATE TABLE consent (
    n INTEGER PRIMARY KEY,
    by TEXT NOT NULL,
    given_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    mac BLOB NOT NULL
) STRICT;
CREATE TABLE tally (
    day INTEGER NOT NULL, what TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (day, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (n INTEGER PRIMARY KEY, line TEXT NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    count INTEGER NOT NULL, hash BLOB NOT NULL, mac BLOB NOT NULL
) STRICT;
CREATE TRIGGER audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_grows BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
";

/// Something that a database has beside rows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Object {
    /// `table`, `index`, `trigger` or `view`.
    kind: String,
    name: String,
    table: String,
    /// What made it; nothing for the index of a key.
    sql: Option<String>,
}

impl Object {
    /// As a message names it: an unknown one's name is somebody else's text.
    fn describe(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let name = match self.name.len() <= 40 && self.name.chars().all(plain) {
            true => self.name.clone(),
            false => format!("of a name of {} bytes", self.name.len()),
        };
        format!("{} {name}", self.kind)
    }
}

/// Whether the tables are not there yet.
///
/// # Errors
/// [`ErrorKind::Review`] for a database of another form.
pub(super) fn is_new(db: &Connection) -> Result<bool> {
    let version: i64 =
        db.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(refused)?;
    match version {
        0 => Ok(true),
        FORM => Ok(false),
        other => Err(Error::new(ErrorKind::Review, "cannot use this review queue")
            .expected(format!("form {FORM}"))
            .found(format!("form {other}"))
            .hint("it was made by another version of wakegate")),
    }
}

/// Makes the tables.
pub(super) fn create(db: &Connection) -> Result<()> {
    db.execute_batch(TABLES).map_err(refused)?;
    db.pragma_update(None, "user_version", FORM).map_err(refused)?;
    check(db)
}

/// Puts back what guards the audit log against mistakes, and what only makes a search faster,
/// where it was taken away.
pub(super) fn mend(db: &Connection) -> Result<()> {
    for object in compare(db)?.missing {
        if let Some(sql) = object.sql.filter(|_| object.kind != "table") {
            db.execute_batch(&sql).map_err(refused)?;
        }
    }
    Ok(())
}

/// Refuses a database that holds anything but what belongs there.
///
/// # Errors
/// [`ErrorKind::Review`] for a trigger, view, index or table too many, for a changed one, and for
/// a table too few.
pub(super) fn check(db: &Connection) -> Result<()> {
    let Difference { foreign, missing } = compare(db)?;
    let lost = missing.iter().find(|object| object.kind == "table");
    let found = match (foreign.first(), lost) {
        (Some(object), _) => format!("the {}, which is not its own", object.describe()),
        (None, Some(object)) => format!("no {}", object.describe()),
        (None, None) => return Ok(()),
    };
    Err(Error::new(
        ErrorKind::Review,
        "the review queue's database is altered; the queue is closed",
    )
    .expected("its own tables and nothing beside them")
    .found(found)
    .hint("`wakegate review purge --all` starts over"))
}

/// What is wrong with the form of the database, one line each.
pub(super) fn problems(db: &Connection) -> Result<Vec<String>> {
    let Difference { foreign, missing } = compare(db)?;
    let foreign = foreign.iter().map(|o| format!("the database holds a foreign {}", o.describe()));
    let missing = missing.iter().map(|o| format!("the database has lost its {}", o.describe()));
    Ok(foreign.chain(missing).collect())
}

/// How a database's form differs from its own.
struct Difference {
    foreign: Vec<Object>,
    missing: Vec<Object>,
}

fn compare(db: &Connection) -> Result<Difference> {
    static EXPECTED: OnceLock<Vec<Object>> = OnceLock::new();
    let expected = match EXPECTED.get() {
        Some(expected) => expected,
        None => {
            let model = Connection::open_in_memory().map_err(refused)?;
            model.execute_batch(TABLES).map_err(refused)?;
            let objects = objects(&model)?;
            EXPECTED.get_or_init(|| objects)
        }
    };
    let found = objects(db)?;
    let beyond = |of: &[Object], all: &[Object]| {
        of.iter().filter(|object| !all.contains(object)).cloned().collect()
    };
    Ok(Difference { foreign: beyond(&found, expected), missing: beyond(expected, &found) })
}

fn objects(db: &Connection) -> Result<Vec<Object>> {
    let mut query = db
        .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
        .map_err(refused)?;
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Object { kind: row.get(0)?, name: row.get(1)?, table: row.get(2)?, sql: row.get(3)? })
    };
    query
        .query_map([], read)
        .and_then(Iterator::collect::<rusqlite::Result<Vec<_>>>)
        .map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        create(&db).unwrap();
        db
    }

    #[test]
    fn anything_beside_its_own_tables_is_refused_and_named() {
        for (sql, said) in [
            (
                "CREATE TRIGGER keep BEFORE DELETE ON clip BEGIN SELECT RAISE(IGNORE); END",
                "trigger keep",
            ),
            ("CREATE VIEW v AS SELECT * FROM clip", "view v"),
            ("CREATE TABLE more (x)", "table more"),
            ("CREATE INDEX more ON clip (label)", "index more"),
            ("CREATE TABLE \"a b'c\" (x)", "table of a name of 5 bytes"),
            ("ALTER TABLE clip ADD COLUMN x TEXT", "table clip"),
            ("DROP TABLE tally", "no table tally"),
            ("ANALYZE", "table sqlite_stat1"),
        ] {
            let db = made();
            check(&db).unwrap();
            db.execute_batch(sql).unwrap();
            let error = check(&db).unwrap_err().to_string();
            assert!(error.contains(said), "{sql}: {error}");
            assert!(!problems(&db).unwrap().is_empty());
        }
    }

    #[test]
    fn a_guard_that_was_taken_away_comes_back_and_a_table_does_not() {
        let db = made();
        db.execute_batch("DROP TRIGGER audit_stays; DROP INDEX clip_by_expiry").unwrap();
        assert_eq!(problems(&db).unwrap().len(), 2);
        mend(&db).unwrap();
        assert_eq!(problems(&db).unwrap(), Vec::<String>::new());
        db.execute_batch("DROP TABLE score").unwrap();
        mend(&db).unwrap();
        assert!(check(&db).is_err());
    }
}
