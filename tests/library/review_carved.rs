//! The medium under a queue, carved: no recording, no audio file, no key and no wake word, and
//! of what was deleted not even what a device key could open.

// Shared with the crash tests, which carve after a kill at every step.
#[path = "../../src/review/carve.rs"]
mod carve;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use crate::review_support::{
    DAY_MS, HandClock, files, noise, open_settings, person, queue, reopen, store,
};
use carve::{Carver, strings_with};
use rusqlite::Connection;
use wakegate::review::{Answer, ClipId, Label, Queue};

/// Words that nothing on the medium may hold, whatever the case.
const WORDS: [&str; 4] = ["alexa", "tiny-1", "p_intended", "transcript"];

/// Looks for the recordings of all clips that the tests store.
static RECORDINGS: LazyLock<Carver> = LazyLock::new(|| {
    let recordings: Vec<Vec<f32>> = (0..6).map(|seed| noise(48_000, seed)).collect();
    Carver::new(&recordings)
});

/// Holds an image against recordings, audio files and words, and the bytes of `more`.
fn check(image: &[u8], more: &[(&str, Vec<u8>)], what: &str) {
    assert_eq!(RECORDINGS.find(image), Vec::<String>::new(), "{what}");
    let more = more.iter().fold(Carver::new(&[]), |carver, (name, bytes)| carver.and(name, bytes));
    assert_eq!(more.find(image), Vec::<String>::new(), "{what}");
    assert_eq!(strings_with(image, &WORDS), Vec::<String>::new(), "{what}");
}

/// Wrapped key, and a part of the ciphertext, of a clip.
fn secrets(directory: &Path, id: &ClipId) -> Vec<(&'static str, Vec<u8>)> {
    let db = Connection::open(directory.join("queue.db")).unwrap();
    let sql = "SELECT wrapped_key, substr(sealed, 20001, 64) FROM clip WHERE id = ?1";
    let (wrapped, sealed) =
        db.query_row(sql, [id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    vec![("a wrapped key", wrapped), ("ciphertext", sealed)]
}

#[test]
fn the_carver_finds_what_is_there() {
    carve::check_the_carver(&noise(48_000, 9));
}

#[test]
fn the_files_of_a_queue_hold_no_recording_at_any_moment() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("queue");
    let clock = HandClock::new();
    let mut queue = queue(&directory, &open_settings(), &clock);
    let ann = person("Ann");
    let look = |what: &str, gone: &[(&str, Vec<u8>)]| {
        let image: Vec<u8> = files(&directory).into_iter().flat_map(|(_, bytes)| bytes).collect();
        check(&image, gone, what);
    };
    let ids: Vec<ClipId> = (0..6).map(|seed| store(&mut queue, seed)).collect();
    look("stored", &[]);
    queue.next_for(&ann).unwrap().unwrap();
    look("leased", &[]);
    let mut gone = secrets(&directory, &ids[0]);
    queue.label(&ann, &ids[0], Label::Intended).unwrap();
    look("labelled", &gone);
    gone.extend(secrets(&directory, &ids[1]));
    queue.label(&ann, &ids[1], Label::Accidental).unwrap();
    look("a leak", &gone);
    gone.extend(secrets(&directory, &ids[2]));
    assert_eq!(queue.delete(&ann, &ids[2]).unwrap(), Answer::Done);
    look("deleted", &gone);
    let key = fs::read(directory.join("device.key")).unwrap();
    gone.extend(ids[3..].iter().map(|id| secrets(&directory, id).remove(0)));
    queue.rotate_key(&ann).unwrap();
    gone.push(("the old device key", key));
    look("rotated", &gone);
    gone.extend(secrets(&directory, &ids[3]));
    queue.revoke_consent(&ann).unwrap();
    look("revoked", &gone);
    drop(queue);
    look("closed", &gone);
}

/// An empty ext4 file system in a file, or one that holds a folder.
fn ext4(image: &Path, folder: Option<&Path>) -> bool {
    let mke2fs = ["mke2fs", "/usr/sbin/mke2fs", "/sbin/mke2fs"].into_iter().find(|program| {
        Command::new(program).arg("-V").output().is_ok_and(|output| output.status.success())
    });
    let Some(mke2fs) = mke2fs else { return false };
    let mut command = Command::new(mke2fs);
    command.args(["-q", "-F", "-t", "ext4"]);
    if let Some(folder) = folder {
        command.arg("-d").arg(folder);
    }
    let output = command.arg(image).arg("8M").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    true
}

#[test]
fn an_image_of_a_queue_that_was_cut_off_holds_no_recording() {
    let name = "review_carved::an_image_of_a_queue_that_was_cut_off_holds_no_recording";
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("queue");
    let mut queue = queue(&directory, &open_settings(), &HandClock::new());
    (0..4).for_each(|seed| drop(store(&mut queue, seed)));
    // As it lies at this moment, with its write-ahead log.
    let image = folder.path().join("image");
    if !ext4(&image, Some(&directory)) {
        crate::skip::skipped(name, "mke2fs is missing");
        return;
    }
    let image = fs::read(image).unwrap();
    check(&image, &[], "an image");
    let id = &queue.list(&person("Ann")).unwrap()[0].id;
    let [(_, wrapped), _] = secrets(&directory, id).try_into().unwrap();
    assert!(crate::review_support::holds(&image, &wrapped), "the image holds the queue");
}

#[test]
fn a_raw_disk_holds_nothing_of_what_was_deleted_expired_or_revoked() {
    let name = "review_carved::a_raw_disk_holds_nothing_of_what_was_deleted_expired_or_revoked";
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    if !crate::disk_support::is_inside() && !ext4(&image, None) {
        crate::skip::skipped(name, "mke2fs is missing");
        return;
    }
    crate::disk_support::of_image(name, &image, |disk, image| {
        let directory = disk.join("queue");
        let clock = HandClock::new();
        let mut queue = queue(&directory, &open_settings(), &clock);
        let ann = person("Ann");
        // Deleted blocks included: the image is what the card in the drawer holds.
        let look = |what: &str, gone: &[(&str, Vec<u8>)]| {
            let mounted = fs::File::open(disk).unwrap();
            rustix::fs::syncfs(&mounted).unwrap();
            check(&fs::read(image).unwrap(), gone, what);
        };
        let mut ids: Vec<ClipId> = (0..3).map(|seed| store(&mut queue, seed)).collect();
        // One process ends in good order, and one is cut off.
        drop(queue);
        let mut queue = reopen(&directory, &open_settings(), &clock).unwrap();
        ids.push(store(&mut queue, 3));
        std::mem::forget(queue);
        look("stored", &[]);
        let mut queue: Queue = reopen(&directory, &open_settings(), &clock).unwrap();
        let mut gone = Vec::new();
        for (id, label) in ids.iter().zip([Label::Accidental, Label::Intended]) {
            gone.extend(secrets(&directory, id));
            queue.label(&ann, id, label).unwrap();
            look("labelled", &gone);
        }
        // Someone who reads for long keeps the write-ahead log growing.
        let log = || fs::metadata(directory.join("queue.db-wal")).unwrap().len();
        let reader = Connection::open(directory.join("queue.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM fact;").unwrap();
        let many: Vec<ClipId> = (0..14).map(|_| store(&mut queue, 5)).collect();
        assert!(log() > 1 << 20, "{}", log());
        gone.extend(many.iter().flat_map(|id| secrets(&directory, id)));
        assert_eq!(queue.delete(&ann, &many[0]).unwrap(), Answer::Done);
        reader.execute_batch("COMMIT").unwrap();
        for id in &many[1..] {
            assert_eq!(queue.delete(&ann, id).unwrap(), Answer::Done);
        }
        assert_eq!(log(), 0);
        look("deleted behind a reader", &gone);
        let key = fs::read(directory.join("device.key")).unwrap();
        gone.extend(ids[2..].iter().map(|id| secrets(&directory, id).remove(0)));
        queue.rotate_key(&ann).unwrap();
        gone.push(("the old device key", key));
        look("rotated", &gone);
        gone.extend(secrets(&directory, &ids[2]));
        clock.pass(8 * DAY_MS);
        assert_eq!(queue.sweep().unwrap(), 2);
        look("expired", &gone);
        let id = store(&mut queue, 4);
        gone.extend(secrets(&directory, &id));
        gone.push(("a device key", fs::read(directory.join("device.key")).unwrap()));
        queue.revoke_consent(&ann).unwrap();
        look("revoked", &gone);
        drop(queue);
        look("closed", &gone);
        let settings =
            wakegate::review::Settings { directory: directory.clone(), ..open_settings() };
        gone.push(("the last device key", fs::read(directory.join("device.key")).unwrap()));
        wakegate::review::destroy(&settings).unwrap();
        look("destroyed", &gone);
    });
}
