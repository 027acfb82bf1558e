//! Kills a process at every step of everything that writes, and looks at what is left.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use super::audit::{Act, Line};
use super::carve::{Carver, strings_with};
use super::*;
use crate::decision::{Reason, Verdict};
use crate::gate::{AudioBuffer, Clock, Gate, Heard, IntendedClip, LiveAudio, Moment, State};
use crate::model::{Posteriors, WakeScores};
use crate::pipeline::Activation;

/// The folder, the act and the place to die at, for the child.
const TOLD: &str = "WAKEGATE_CRASH_TEST";
const SAMPLES: usize = 16_000;
const DAY_MS: i64 = 86_400_000;

struct FixedClock(i64);

impl Clock for FixedClock {
    fn now(&self) -> Moment {
        Moment { unix_ms: self.0, steady_ms: 0, utc_offset_s: 0 }
    }
}

pub(super) fn settings() -> Settings {
    Settings { enabled: true, min_free_mb: 0, retention_days: 2.0, ..Settings::default() }
}

pub(super) fn open_at(directory: &Path, days: i64) -> crate::Result<Queue> {
    let clock = Arc::new(FixedClock(1_772_445_600_000 + days * DAY_MS));
    Queue::open(directory, &settings(), clock)
}

pub(super) fn ann() -> Person {
    "Ann".parse().unwrap()
}

/// 16-bit noise that no other seed gives.
pub(super) fn noise(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(77);
    (0..SAMPLES)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from((state >> 40) as i16) / 32_768.0
        })
        .collect()
}

pub(super) fn clip(seed: u64) -> IntendedClip {
    let activation = Activation {
        number: 1,
        verdict: Verdict::Intended,
        reason: Reason::Intended,
        posteriors: Posteriors::new([0.97, 0.01, 0.02]).unwrap(),
        scores: WakeScores::new([0.9, 0.8]).unwrap(),
        start_sample: 4_000,
        end_sample: 9_000,
        decided_sample: 15_000,
        word_decided_sample: None,
        spotter_peak: None,
    };
    let heard = Heard { wake_word: "alexa".into(), model: "tiny-1".into(), activation };
    let audio = LiveAudio { buffer: AudioBuffer::copy_of(&noise(seed)), first_sample: 0 };
    let state =
        State { consented: true, stored_today: 0, free_bytes: Some(u64::MAX), certified_at: None };
    let mut gate = Gate::new(settings().policy().unwrap(), Box::new(|| 0.0)).unwrap();
    let admitted = gate.admit(heard, audio, &state, FixedClock(0).now());
    admitted.unwrap_or_else(|stop| panic!("{stop}"))
}

/// The clips of a fresh queue, in the order in which they were stored.
pub(super) fn fill(directory: &Path) -> Vec<ClipId> {
    let mut queue = open_at(directory, 0).unwrap();
    queue.give_consent(&ann()).unwrap();
    let ids = (0..2)
        .map(|seed| match queue.store(clip(seed)).unwrap() {
            Stored::Kept(id) => id,
            Stored::Dropped(stop) => panic!("{stop}"),
        })
        .collect();
    assert_eq!(queue.waiting().unwrap(), 2);
    ids
}

/// The child's side: does what it is told, and dies on the way.
#[test]
#[ignore = "the tests of this file run it as a child"]
fn child() {
    let told = std::env::var(TOLD).unwrap();
    let [directory, act, place] = told.split('|').collect::<Vec<_>>().try_into().unwrap();
    let directory = Path::new(directory);
    if act == "create" {
        fault::arm(place);
        open_at(directory, 0).unwrap();
        return;
    }
    let mut queue = open_at(directory, 0).unwrap();
    if act == "rotations" {
        for _ in 0..place.parse().unwrap() {
            // On a machine that is busy enough, waiting for the others has its limit.
            while let Err(error) = queue.rotate_key(&ann()) {
                assert!(error.to_string().contains("database is locked"), "{error}");
            }
        }
        return;
    }
    if act == "loop" {
        for seed in 100.. {
            let Stored::Kept(id) = queue.store(clip(seed)).unwrap() else { panic!() };
            let mut out = std::io::stdout();
            writeln!(out, "acknowledged {id}").and_then(|()| out.flush()).unwrap();
        }
    }
    let first = queue.list(&ann()).unwrap()[0].id.clone();
    // With this queue open, another process dies in the middle of its own rotation.
    let act = match act.split_once('@') {
        Some((act, other)) => {
            die(directory, "rotate", other);
            act
        }
        None => act,
    };
    fault::arm(place);
    match act {
        "store" => drop(queue.store(clip(2)).unwrap()),
        "delete" => drop(queue.delete(&ann(), &first).unwrap()),
        "leak" => drop(queue.label(&ann(), &first, Label::Accidental).unwrap()),
        "expire" => drop(open_at(directory, 2).unwrap()),
        "rotate" => queue.rotate_key(&ann()).unwrap(),
        "purge" => drop(queue.purge_all(&ann()).unwrap()),
        "revoke" => drop(queue.revoke_consent(&ann()).unwrap()),
        other => panic!("no such act: {other}"),
    }
}

pub(super) fn command(directory: &Path, act: &str, place: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "review::crash::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(TOLD, format!("{}|{act}|{place}", directory.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs `act` in a child that dies at `place`.
pub(super) fn die(directory: &Path, act: &str, place: &str) {
    let output = command(directory, act, place).output().unwrap();
    assert_eq!(output.status.signal(), Some(9), "{act} never came to {place}: {output:?}");
}

pub(super) fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// What the files of a clip must not hold after it is gone.
pub(super) struct Secret {
    id: String,
    wrapped: Vec<u8>,
    /// A part of the ciphertext.
    sealed: Vec<u8>,
    /// The clip's key in the clear, which no file ever holds.
    key: Vec<u8>,
}

pub(super) fn secrets(directory: &Path) -> Vec<Secret> {
    let device = keyfile::load(&directory.join("device.key")).unwrap().unwrap();
    let db = rusqlite::Connection::open(directory.join("queue.db")).unwrap();
    let mut query = db.prepare("SELECT id, wrapped_key, sealed FROM clip").unwrap();
    let rows = query.query_map([], |row| {
        let (id, wrapped, sealed): (String, Vec<u8>, Vec<u8>) =
            (row.get(0)?, row.get(1)?, row.get(2)?);
        let key = device.unwrap_key(&id.parse().unwrap(), &wrapped).unwrap().bytes().to_vec();
        Ok(Secret { id, wrapped, sealed: sealed[20_000..20_100].to_vec(), key })
    });
    rows.unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

/// No file holds a recording, a file of audio, a key in the clear or the wake word.
fn carve(directory: &Path, before: &[Secret], what: &str) {
    let (keys, rest): (Vec<_>, Vec<_>) = files(directory)
        .into_iter()
        .partition(|(path, _)| path.file_name().unwrap().to_string_lossy().contains("device.key"));
    let image: Vec<u8> = rest.into_iter().flat_map(|(_, bytes)| bytes).collect();
    static RECORDINGS: LazyLock<Carver> =
        LazyLock::new(|| Carver::new(&[noise(0), noise(1), noise(2)]));
    assert_eq!(RECORDINGS.find(&image), Vec::<String>::new(), "{what}");
    let mut carver = Carver::new(&[]);
    for secret in before {
        carver = carver.and("a clip's key", &secret.key);
    }
    for (_, key) in keys.iter().filter(|(_, key)| key.iter().any(|&byte| byte != 0)) {
        carver = carver.and("a device key", key);
    }
    assert_eq!(carver.find(&image), Vec::<String>::new(), "{what}");
    let words = strings_with(&image, &["alexa", "tiny-1", "p_intended"]);
    assert_eq!(words, Vec::<String>::new(), "{what}");
}

#[test]
fn the_carver_finds_what_is_there() {
    super::carve::check_the_carver(&noise(3));
}

/// Opens the queue after a crash, checks it, and gives the clips that are left.
pub(super) fn check(directory: &Path, days: i64, before: &[Secret], what: &str) -> u64 {
    carve(directory, before, what);
    let mut queue = open_at(directory, days).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new(), "{what}");
    let names: HashSet<String> = files(directory)
        .iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let expected = ["device.key", "queue.db", "queue.db-shm", "queue.db-wal"];
    assert_eq!(names, expected.map(str::to_owned).into(), "{what}: an orphan key");
    let left: HashSet<String> =
        queue.list(&ann()).unwrap().into_iter().map(|entry| entry.id.to_string()).collect();
    // What is gone has left nothing.
    for Secret { id, wrapped, sealed, .. } in before.iter().filter(|s| !left.contains(&s.id)) {
        for (path, bytes) in files(directory) {
            let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
            assert!(!holds(wrapped) && !holds(sealed), "{what}: {id} in {}", path.display());
        }
    }
    // Every act that is on record happened, and no other.
    let mut stored = 0_i64;
    let mut take = |line: String| {
        let line: Line = serde_json::from_str(&line).unwrap();
        match line.act {
            Act::Stored => stored += 1,
            Act::Deleted | Act::Expired => stored -= 1,
            Act::Purged => stored = 0,
            Act::Damaged => panic!("{what}: damaged"),
            _ => {}
        }
        Ok(())
    };
    Queue::audit_lines(queue.directory(), &mut take).unwrap();
    assert_eq!(stored, left.len() as i64, "{what}");
    // Every clip that is left can be heard.
    let mut heard = 0;
    while let Some(clip) = queue.next_for(&ann()).unwrap() {
        assert!((0..3).any(|seed| noise(seed) == clip.audio.samples()), "{what}");
        queue.delete(&ann(), &clip.id).unwrap();
        heard += 1;
    }
    assert_eq!(heard, left.len() as u64, "{what}");
    // And the queue goes on.
    if queue.consent().unwrap().is_some() {
        assert!(matches!(queue.store(clip(2)).unwrap(), Stored::Kept(_)), "{what}");
    }
    heard
}

/// Dies at each place; from the place `turn` on, `after` clips are left, before it `before`.
fn crash_everywhere(act: &str, days: i64, places: &[&str], turn: &str, before: u64, after: u64) {
    let mut turned = false;
    for place in places {
        turned |= *place == turn;
        let what = format!("{act} died at {place}");
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("queue");
        fill(&directory);
        let secrets = secrets(&directory);
        die(&directory, act, place);
        let left = check(&directory, days, &secrets, &what);
        assert_eq!(left, if turned { after } else { before }, "{what}");
    }
    assert!(turned);
}

pub(super) const REKEY: [&str; 7] = [
    "key:created",
    "rekey:next_written",
    "rekey:rewrapped",
    "act:committed",
    "rekey:committed",
    "rekey:old_overwritten",
    "rekey:promoted",
];
const DELETE: [&str; 5] =
    ["delete:removed", "delete:logged", "act:committed", "scrub:filled", "act:scrubbed"];

#[test]
fn a_crash_while_a_clip_is_stored() {
    let places = ["store:plain", "store:sealed", "store:inserted", "store:logged", "act:committed"];
    crash_everywhere("store", 0, &places, "act:committed", 2, 3);
}

#[test]
fn a_crash_while_a_clip_is_deleted() {
    crash_everywhere("delete", 0, &DELETE, "act:committed", 2, 1);
}

#[test]
fn a_crash_while_a_leak_is_labelled() {
    crash_everywhere("leak", 0, &DELETE, "act:committed", 2, 1);
}

#[test]
fn a_crash_while_clips_expire() {
    crash_everywhere("expire", 2, &DELETE, "delete:removed", 2, 0);
}

#[test]
fn a_crash_while_the_key_is_replaced() {
    crash_everywhere("rotate", 0, &REKEY, "key:created", 2, 2);
}

#[test]
fn a_crash_while_everything_is_wiped() {
    crash_everywhere("purge", 0, &REKEY, "act:committed", 2, 0);
}

#[test]
fn a_crash_while_the_consent_is_revoked() {
    crash_everywhere("revoke", 0, &REKEY, "act:committed", 2, 0);
}

#[test]
fn a_crash_while_the_queue_is_made() {
    for place in
        ["key:created", "open:key_drafted", "open:key_linked", "open:key_made", "open:committed"]
    {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("queue");
        die(&directory, "create", place);
        check(&directory, 0, &[], place);
        assert_eq!(fill(&directory.join("another")).len(), 2);
    }
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    for count in [1, 2, 5] {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("queue");
        drop(fill(&directory));
        let mut child = command(&directory, "loop", "nowhere").spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged: Vec<String> = lines
            .filter_map(|line| line.unwrap().strip_prefix("acknowledged ").map(str::to_owned))
            .take(count)
            .collect();
        // Wherever it is by now.
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(acknowledged.len(), count);
        let mut queue = open_at(&directory, 0).unwrap();
        let left: HashSet<String> =
            queue.list(&ann()).unwrap().into_iter().map(|entry| entry.id.to_string()).collect();
        assert!(acknowledged.iter().all(|id| left.contains(id)));
        assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new());
    }
}
