//! The queue on a disk of its own: one that is full, one that can't be written.
//!
//! Where the system lets nobody make one, a test is skipped by name.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::disk_support::in_memory;
use crate::review_support::{
    HandClock, files, intended, live, noise, open_settings, person, queue, reopen, store,
};
use wakegate::gate::{Stop, system_draw};
use wakegate::review::{Answer, Queue, Recorder, Settings, Stored};

/// A file that takes up the disk's free space but for `left` bytes.
struct Ballast(PathBuf);

impl Ballast {
    fn new(disk: &Path, left: u64) -> Self {
        let about = rustix::fs::statvfs(disk).unwrap();
        let free = about.f_bavail * about.f_frsize;
        let path = disk.join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(&vec![1; free.saturating_sub(left) as usize]).unwrap();
        Self(path)
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Everything that is left can be heard, the log is whole, and there is one key.
fn sound(queue: &mut Queue, left: u64) {
    assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new());
    assert_eq!(queue.list(&person("Ann")).unwrap().len() as u64, left);
    for reviewer in 0..left {
        let clip = queue.next_for(&person(&format!("R{reviewer}"))).unwrap().unwrap();
        assert!((0..100).any(|seed| noise(48_000, seed) == clip.audio.samples()));
        queue.release(&person(&format!("R{reviewer}")), &clip.id).unwrap();
    }
    let names: Vec<String> = files(queue.directory()).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["device.key", "queue.db", "queue.db-shm", "queue.db-wal"]);
}

#[test]
fn a_disk_that_fills_up_at_any_step_loses_nothing_that_was_acknowledged() {
    in_memory(
        "review_disk::a_disk_that_fills_up_at_any_step_loses_nothing_that_was_acknowledged",
        "4m",
        |disk| {
            let directory = disk.join("queue");
            let (settings, clock) = (open_settings(), HandClock::new());
            let mut queue = queue(&directory, &settings, &clock);
            let mut left = 0_u64;
            let (mut refused, mut done) = (0, 0);
            for step in 0..60_u64 {
                let ballast = Ballast::new(disk, step * 8 * 1024);
                let before = left;
                let result = match step % 3 {
                    0 => queue.store(crate::review_support::clip(step)).map(|stored| {
                        assert!(matches!(stored, Stored::Kept(_)));
                        left += 1;
                    }),
                    1 => queue.rotate_key(&person("Owner")),
                    _ => queue.list(&person("Ann")).and_then(|list| match list.first() {
                        Some(entry) => queue.delete(&person("Ann"), &entry.id).map(|answer| {
                            assert_eq!(answer, Answer::Done);
                            left -= 1;
                        }),
                        None => Ok(()),
                    }),
                };
                match result {
                    Ok(()) => done += 1,
                    Err(error) => {
                        refused += 1;
                        assert_eq!(left, before);
                        let text = error.to_string().to_lowercase();
                        assert!(
                            text.contains("full") || text.contains("no space"),
                            "{step}: {error}"
                        );
                    }
                }
                drop(ballast);
                sound(&mut queue, left);
            }
            assert!(refused >= 5 && done >= 5, "{refused} refused, {done} done");
            drop(queue);
            sound(&mut reopen(&directory, &settings, &clock).unwrap(), left);
        },
    );
}

#[test]
fn on_a_full_disk_a_queue_is_not_half_made() {
    in_memory("review_disk::on_a_full_disk_a_queue_is_not_half_made", "4m", |disk| {
        let (settings, clock) = (open_settings(), HandClock::new());
        let directory = disk.join("queue");
        let mut refused = 0;
        for left in (0..200).step_by(4) {
            let ballast = Ballast::new(disk, left * 1024);
            let made = reopen(&directory, &settings, &clock);
            drop(ballast);
            refused += usize::from(made.is_err());
            // Whatever was begun is finished now.
            drop(made);
            let mut queue = reopen(&directory, &settings, &clock).unwrap();
            sound(&mut queue, 0);
            drop(queue);
            fs::remove_dir_all(&directory).unwrap();
        }
        assert!(refused >= 3, "{refused}");
    });
}

#[test]
fn a_recorder_on_a_full_disk_wipes_counts_and_says_why() {
    in_memory("review_disk::a_recorder_on_a_full_disk_wipes_counts_and_says_why", "4m", |disk| {
        let directory = disk.join("queue");
        let (settings, clock) = (open_settings(), HandClock::new());
        drop(queue(&directory, &settings, &clock));
        let recorder =
            Recorder::start(&directory, &settings, Arc::clone(&clock) as _, system_draw()).unwrap();
        let ballast = Ballast::new(disk, 0);
        recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 1)));
        recorder.flush();
        assert_eq!((recorder.stored(), recorder.stopped(Stop::Failed)), (0, 1));
        let error = recorder.last_error().unwrap();
        assert!(error.to_string().contains("full"), "{error}");
        assert!(error.hint_text().unwrap().contains("free some space"), "{error}");
        drop(ballast);
        recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 2)));
        recorder.flush();
        assert_eq!(recorder.stored(), 1, "it goes on by itself");
        drop(recorder);
        let mut queue = reopen(&directory, &settings, &clock).unwrap();
        sound(&mut queue, 1);
        // With a limit on it, the gate does not let it come to that.
        let settings = Settings { min_free_mb: 3, ..settings };
        let recorder = Recorder::start(&directory, &settings, clock, system_draw()).unwrap();
        let _ballast = Ballast::new(disk, 1_000_000);
        recorder.offer(intended(1.0, 1.5), live(&noise(48_000, 3)));
        recorder.flush();
        assert_eq!((recorder.stored(), recorder.stopped(Stop::LowDisk)), (0, 1));
    });
}

#[test]
fn a_panic_wipe_needs_no_space() {
    in_memory("review_disk::a_panic_wipe_needs_no_space", "4m", |disk| {
        let directory = disk.join("queue");
        let (settings, clock) = (open_settings(), HandClock::new());
        let mut queue = queue(&directory, &settings, &clock);
        store(&mut queue, 1);
        let key = fs::read(directory.join("device.key")).unwrap();
        let _ballast = Ballast::new(disk, 0);
        let refused = queue.purge_all(&person("Owner"));
        assert!(refused.is_err());
        drop(queue);
        assert_eq!(fs::read(directory.join("device.key")).unwrap(), key);
        let settings = Settings { directory: directory.clone(), ..settings };
        wakegate::review::destroy(&settings).unwrap();
        assert_eq!(files(&directory), []);
    });
}

#[test]
fn a_key_in_a_place_that_is_only_read_serves_all_but_a_rotation() {
    in_memory(
        "review_disk::a_key_in_a_place_that_is_only_read_serves_all_but_a_rotation",
        "1m",
        |disk| {
            let folder = tempfile::tempdir().unwrap();
            let directory = folder.path().join("queue");
            let key_file = disk.join("device.key");
            let settings = Settings { key_file: Some(key_file.clone()), ..open_settings() };
            let clock = HandClock::new();
            drop(queue(&directory, &settings, &clock));
            // As a service manager hands credentials over.
            let read_only = Command::new("mount").args(["-o", "remount,ro"]).arg(disk).status();
            assert!(read_only.unwrap().success());
            let mut queue = reopen(&directory, &settings, &clock).unwrap();
            let id = store(&mut queue, 1);
            assert!(queue.rotate_key(&person("Owner")).is_err());
            assert_eq!(queue.next_for(&person("Ann")).unwrap().unwrap().id, id);
            assert_eq!(queue.delete(&person("Ann"), &id).unwrap(), Answer::Done);
            assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new());
            // A wipe happens all the same, and says what it could not do.
            store(&mut queue, 2);
            let error = queue.revoke_consent(&person("Owner")).unwrap_err().to_string();
            assert!(error.contains("every clip is deleted, but the device key stays"), "{error}");
            assert_eq!((queue.consent().unwrap(), queue.waiting().unwrap()), (None, 0));
            drop(queue);
            let mut queue = reopen(&directory, &settings, &clock).unwrap();
            assert_eq!(queue.stats().unwrap().queued, 0);
            drop(queue);
            let settings = Settings { directory: directory.clone(), ..settings };
            assert!(wakegate::review::destroy(&settings).is_err(), "the key can't go");
            assert_eq!(files(&directory), [], "and everything else does");
        },
    );
}
