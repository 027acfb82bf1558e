//! What an attacker with the files tries.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::review_support::{
    DAY_MS, HandClock, RATE, clip, files, holds, noise, open_settings, person, queue, reopen, store,
};
use rusqlite::Connection;
use wakegate::ErrorKind;
use wakegate::review::{Answer, Label, Mark, Queue, Verified};

/// A queue of three clips that was closed.
struct Victim {
    _folder: tempfile::TempDir,
    directory: PathBuf,
    clock: Arc<HandClock>,
}

impl Victim {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("queue");
        let clock = HandClock::new();
        let mut queue = queue(&directory, &open_settings(), &clock);
        for seed in 0..3 {
            clock.pass(1000);
            store(&mut queue, seed);
        }
        Self { _folder: folder, directory, clock }
    }

    fn open(&self) -> wakegate::Result<Queue> {
        reopen(&self.directory, &open_settings(), &self.clock)
    }

    /// Changes the database behind the queue's back; gives the number of rows touched.
    fn alter(&self, sql: &str) -> usize {
        let db = Connection::open(self.directory.join("queue.db")).unwrap();
        // Whoever has the file is not held by a trigger.
        db.execute_batch("DROP TRIGGER audit_stays; DROP TRIGGER audit_grows;").unwrap();
        db.execute(sql, []).unwrap()
    }
}

#[test]
fn no_recording_stands_in_any_file_in_any_form() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("queue");
    let mut queue = queue(&directory, &open_settings(), &HandClock::new());
    // While the queue is open, so that the write-ahead log is there too.
    let ids: Vec<_> = (0..4).map(|seed| store(&mut queue, seed)).collect();
    queue.next_for(&person("Ann")).unwrap();
    queue.label(&person("Ann"), &ids[1], Label::Accidental).unwrap();
    let all = files(&directory);
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["device.key", "queue.db", "queue.db-shm", "queue.db-wal"]);
    let on_disk: std::collections::HashSet<[u8; 64]> = all
        .iter()
        .flat_map(|(_, bytes)| bytes.windows(64))
        .map(|window| window.try_into().unwrap())
        .collect();
    let looks = |bytes: &[u8]| bytes.chunks_exact(64).any(|c| on_disk.contains(c));
    for seed in 0..4 {
        let samples = noise(3 * RATE as usize, seed);
        let pcm = |scale: f32| -> Vec<u8> {
            samples.iter().flat_map(|s| ((s * scale).round() as i16).to_le_bytes()).collect()
        };
        let floats: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        assert!(!looks(&pcm(32_768.0)) && !looks(&pcm(32_767.0)) && !looks(&floats));
    }
    // The search finds what is there.
    let database = &all[1].1;
    assert!(looks(&database[512..576]));
}

#[test]
fn a_copied_database_is_of_no_use_without_the_device_key() {
    let victim = Victim::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("queue");
    fs::create_dir(&copy).unwrap();
    fs::copy(victim.directory.join("queue.db"), copy.join("queue.db")).unwrap();
    let open = |copy: &Path| reopen(copy, &open_settings(), &victim.clock);
    let error = open(&copy).err().unwrap();
    assert!(error.to_string().contains("device key is missing"), "{error}");
    // Nor with another key, even where the database claims that it is the right one.
    fs::write(copy.join("device.key"), [7; 32]).unwrap();
    fs::set_permissions(copy.join("device.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let error = open(&copy).err().unwrap();
    assert!(error.to_string().contains("not this queue's device key"), "{error}");
    let own = elsewhere.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::copy(copy.join("device.key"), own.join("device.key")).unwrap();
    drop(queue(&own, &open_settings(), &victim.clock));
    let id: String = Connection::open(own.join("queue.db"))
        .unwrap()
        .query_row("SELECT value FROM fact WHERE name = 'key_id'", [], |row| row.get(0))
        .unwrap();
    Connection::open(copy.join("queue.db"))
        .unwrap()
        .execute("UPDATE fact SET value = ?1 WHERE name = 'key_id'", [id])
        .unwrap();
    let error = open(&copy).err().unwrap();
    assert!(error.to_string().contains("audit log is altered"), "{error}");
}

#[test]
fn an_altered_clip_is_never_played_and_the_others_are() {
    for sql in [
        "UPDATE clip SET sealed = zeroblob(length(sealed)) WHERE rowid = 1",
        "UPDATE clip SET sealed = substr(sealed, 1, 1000) WHERE rowid = 1",
        "UPDATE clip SET wrapped_key = zeroblob(length(wrapped_key)) WHERE rowid = 1",
        "UPDATE clip SET record = zeroblob(length(record)) WHERE rowid = 1",
        "UPDATE clip SET record = (SELECT record FROM clip WHERE rowid = 2) WHERE rowid = 1",
        // A longer life in the column that the sweep goes by.
        "UPDATE clip SET expires_ms = expires_ms + 1 WHERE rowid = 1",
        // Another clip's audio, key, or both under this name.
        "UPDATE clip SET sealed = (SELECT sealed FROM clip WHERE rowid = 2) WHERE rowid = 1",
        "UPDATE clip SET wrapped_key = (SELECT wrapped_key FROM clip WHERE rowid = 2)
         WHERE rowid = 1",
        "UPDATE clip SET (sealed, wrapped_key, record) =
         (SELECT sealed, wrapped_key, record FROM clip WHERE rowid = 2) WHERE rowid = 1",
    ] {
        let victim = Victim::new();
        assert_eq!(victim.alter(sql), 1);
        let mut queue = victim.open().unwrap();
        let ann = person("Ann");
        let mut played = Vec::new();
        while let Some(clip) = queue.next_for(&ann).unwrap() {
            played.push(clip.audio.samples().to_vec());
            assert_eq!(queue.label(&ann, &clip.id, Label::Intended).unwrap(), Answer::Done);
        }
        assert_eq!(played, [noise(48_000, 1), noise(48_000, 2)], "{sql}");
        let mut damaged = 0;
        let mut take = |line: String| {
            damaged += usize::from(line.contains("\"act\":\"damaged\""));
            Ok(())
        };
        Queue::audit_lines(queue.directory(), &mut take).unwrap();
        assert_eq!(damaged, 1, "{sql}");
        assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn a_clip_whose_record_is_altered_is_not_listed_and_an_altered_score_is_not_exported() {
    let victim = Victim::new();
    victim.alter("UPDATE clip SET record = zeroblob(length(record)) WHERE rowid = 1");
    let mut queue = victim.open().unwrap();
    let ann = person("Ann");
    let listed = queue.list(&ann).unwrap();
    assert_eq!(listed.len(), 2);
    for entry in &listed {
        assert_eq!(queue.label(&ann, &entry.id, Label::Intended).unwrap(), Answer::Done);
    }
    assert_eq!(queue.labelled_scores(&ann).unwrap().len(), 2);
    // Doubled, moved, or replaced: a row is of use in its place alone.
    for sql in [
        "INSERT INTO score SELECT 3, sealed FROM score WHERE n = 1",
        "UPDATE score SET sealed = (SELECT sealed FROM score WHERE n = 1) WHERE n = 2",
        "UPDATE score SET sealed = zeroblob(length(sealed)) WHERE n = 1",
    ] {
        victim.alter_again(sql);
    }
    assert!(queue.labelled_scores(&ann).unwrap().is_empty());
    let mut said = String::new();
    let mut take = |line: String| {
        said = line;
        Ok(())
    };
    Queue::audit_lines(queue.directory(), &mut take).unwrap();
    assert!(said.contains("0 scores, 3 altered"), "{said}");
    queue.rotate_key(&ann).unwrap();
    assert!(queue.labelled_scores(&ann).unwrap().is_empty());
}

#[test]
fn scores_outlive_a_rotation_and_nothing_of_them_is_in_the_clear() {
    let victim = Victim::new();
    let mut queue = victim.open().unwrap();
    let ann = person("Ann");
    let id = queue.next_for(&ann).unwrap().unwrap().id;
    queue.label(&ann, &id, Label::Accidental).unwrap();
    let scores = queue.labelled_scores(&ann).unwrap();
    assert_eq!(scores.len(), 1);
    queue.rotate_key(&ann).unwrap();
    assert_eq!(queue.labelled_scores(&ann).unwrap(), scores);
    for (name, bytes) in files(&victim.directory) {
        for word in ["alexa", "tiny-1", "p_intended", "0.97"] {
            assert!(!holds(&bytes, word.as_bytes()), "{word} in {name}");
        }
    }
}

#[test]
fn every_change_of_the_audit_log_is_found_and_closes_the_queue_or_shows() {
    let line = |n: u32| format!("(SELECT line FROM audit WHERE n = {n})");
    let (two, three) = (line(2), line(3));
    let cases = [
        ("a changed line", "UPDATE audit SET line = replace(line, 'stored', 'listed') WHERE n = 3"),
        ("a changed name", "UPDATE audit SET line = replace(line, 'Owner', 'Other') WHERE n = 2"),
        ("a changed hash", "UPDATE audit SET hash = zeroblob(32) WHERE n = 2"),
        ("a removed line", "DELETE FROM audit WHERE n = 3"),
        ("the first removed", "DELETE FROM audit WHERE n = 1"),
        ("the tail removed", "DELETE FROM audit WHERE n >= 4"),
        ("everything removed", "DELETE FROM audit"),
        ("the head removed", "DELETE FROM audit_head"),
        ("a smaller head", "UPDATE audit_head SET count = count - 1"),
        ("an added line", "INSERT INTO audit VALUES (6, '{}', zeroblob(32))"),
        (
            "two lines in the other order",
            &format!(
                "UPDATE audit SET line = CASE n WHEN 2 THEN {three} ELSE {two} END WHERE n IN (2, 3)"
            ),
        ),
    ];
    for (what, sql) in cases {
        let victim = Victim::new();
        let verify = |queue: Queue| queue.verify_audit().unwrap().problems;
        assert_eq!(verify(victim.open().unwrap()), Vec::<String>::new());
        assert!(victim.alter(sql) > 0, "{what}");
        let problems = Queue::inspect(&victim.directory, &open_settings(), None).unwrap().problems;
        assert!(!problems.is_empty(), "{what}");
        // A tail that was cut is found without reading it all: the queue stays closed.
        if let Err(error) = victim.open() {
            assert!(error.to_string().contains("audit log is altered"), "{what}: {error}");
        }
    }
}

#[test]
fn a_cut_tail_with_a_head_to_match_needs_the_device_key() {
    let victim = Victim::new();
    victim.alter("DELETE FROM audit WHERE n = 5");
    victim.alter_again(
        "UPDATE audit_head SET count = 4, hash = (SELECT hash FROM audit WHERE n = 4)",
    );
    let error = victim.open().err().unwrap();
    assert!(error.to_string().contains("audit log is altered"), "{error}");
    let problems = Queue::inspect(&victim.directory, &open_settings(), None).unwrap().problems;
    assert_eq!(problems, ["the end of the log was not signed by this device key"]);
}

impl Victim {
    /// As [`alter`](Self::alter), once the triggers are gone.
    fn alter_again(&self, sql: &str) {
        let db = Connection::open(self.directory.join("queue.db")).unwrap();
        assert!(db.execute(sql, []).unwrap() > 0);
    }
}

#[test]
fn what_is_due_goes_even_where_the_log_was_altered() {
    let victim = Victim::new();
    victim.alter("DELETE FROM audit WHERE n = 5");
    victim.clock.pass(8 * DAY_MS);
    assert!(victim.open().is_err());
    let db = Connection::open(victim.directory.join("queue.db")).unwrap();
    let left: i64 = db.query_row("SELECT COUNT(*) FROM clip", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

#[test]
fn a_forged_or_altered_consent_or_certificate_closes_the_queue() {
    for sql in [
        "UPDATE consent SET by = 'Someone else'",
        "UPDATE consent SET given_ms = given_ms + 1",
        "UPDATE consent SET revoked_ms = 1",
        "INSERT INTO consent VALUES (9, 'Owner', 1, NULL, zeroblob(32))",
        "INSERT INTO fact VALUES ('certificate', '{\"threshold\":0.0}')",
    ] {
        let victim = Victim::new();
        victim.alter(sql);
        let mut queue = victim.open().unwrap();
        assert_eq!(queue.gate_state().unwrap_err().kind(), ErrorKind::Review, "{sql}");
    }
    // A forged revocation of nothing stores nothing either.
    let victim = Victim::new();
    victim.alter("UPDATE consent SET by = 'Someone else'");
    let mut queue = victim.open().unwrap();
    assert!(queue.store(clip(9)).is_err());
    assert_eq!(queue.waiting().unwrap(), 3);
    // A rotation does not sign what this device did not.
    queue.rotate_key(&person("Owner")).unwrap();
    assert_eq!(queue.consent().unwrap(), None);
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let victim = Victim::new();
    let key = victim.directory.join("device.key");
    let mode = |mode: u32| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    for bad in [0o644, 0o640, 0o604, 0o660, 0o601, 0o777] {
        mode(bad);
        let error = victim.open().err().unwrap().to_string();
        assert!(error.contains(&format!("mode {bad:04o}")), "{error}");
        assert!(error.contains("chmod 600"), "{error}");
    }
    for good in [0o600, 0o400] {
        mode(good);
        victim.open().unwrap();
    }
}

#[test]
fn a_key_that_is_no_plain_file_of_its_length_is_refused() {
    let victim = Victim::new();
    let key = victim.directory.join("device.key");
    let whole = fs::read(&key).unwrap();
    let refused = |what: &str| {
        let error = victim.open().err().unwrap_or_else(|| panic!("{what} was taken"));
        assert!(matches!(error.kind(), ErrorKind::Review | ErrorKind::Io), "{what}: {error}");
    };
    for (what, bytes) in [
        ("an empty file", Vec::new()),
        ("31 bytes", whole[..31].to_vec()),
        ("33 bytes", [&whole[..], &[0]].concat()),
        ("another key", vec![1; 32]),
    ] {
        fs::write(&key, bytes).unwrap();
        refused(what);
    }
    fs::remove_file(&key).unwrap();
    fs::create_dir(&key).unwrap();
    refused("a folder");
    fs::remove_dir(&key).unwrap();
    let elsewhere = victim.directory.join("elsewhere");
    fs::write(&elsewhere, &whole).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&elsewhere, &key).unwrap();
    refused("a link");
    fs::rename(&elsewhere, &key).unwrap();
    victim.open().unwrap();
}

#[test]
fn everything_is_made_for_its_owner_alone() {
    let victim = Victim::new();
    let _open = victim.open().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&victim.directory), 0o700);
    for (name, _) in files(&victim.directory) {
        assert_eq!(mode(&victim.directory.join(&name)), 0o600, "{name}");
    }
}

#[test]
fn the_device_key_may_lie_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("queue");
    let key_file = folder.path().join("keys.d");
    let settings =
        wakegate::review::Settings { key_file: Some(key_file.clone()), ..open_settings() };
    let clock = HandClock::new();
    let mut queue = queue(&directory, &settings, &clock);
    store(&mut queue, 1);
    let key = fs::read(key_file).unwrap();
    assert_eq!(key.len(), 32);
    assert!(files(&directory).iter().all(|(_, bytes)| !holds(bytes, &key)));
    drop(queue);
    assert!(reopen(&directory, &open_settings(), &clock).is_err());
    assert_eq!(reopen(&directory, &settings, &clock).unwrap().waiting().unwrap(), 1);
}

#[test]
fn an_older_copy_that_is_put_back_shows_against_a_noted_end() {
    let victim = Victim::new();
    let inspect =
        |mark: Option<&Mark>| Queue::inspect(&victim.directory, &open_settings(), mark).unwrap();
    let mark = |verified: &Verified| -> Mark {
        format!("{}:{}", verified.lines, verified.head).parse().unwrap()
    };
    let older = fs::read(victim.directory.join("queue.db")).unwrap();
    let early = mark(&inspect(None));
    let mut queue = victim.open().unwrap();
    let clip = queue.next_for(&person("Ann")).unwrap().unwrap();
    queue.delete(&person("Ann"), &clip.id).unwrap();
    drop(queue);
    let late = mark(&inspect(None));
    assert_eq!(inspect(Some(&early)).problems, Vec::<String>::new());
    assert_eq!(inspect(Some(&late)).problems, Vec::<String>::new());
    fs::write(victim.directory.join("queue.db"), older).unwrap();
    assert_eq!(inspect(None).problems, Vec::<String>::new(), "sound in itself");
    assert_eq!(inspect(Some(&early)).problems, Vec::<String>::new());
    assert_eq!(inspect(Some(&late)).problems.len(), 1);
    for bad in ["", "5", "5:abc", "-1:00", &format!("x:{}", "0".repeat(64))] {
        assert!(bad.parse::<Mark>().is_err(), "{bad}");
    }
}
