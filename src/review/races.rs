//! Several processes at the device key at once: no clip is lost, and one key is left.

use std::process::Child;
use std::time::Duration;

use super::audit;
use super::crash::{
    REKEY, ann, check, clip, command, die, fill, noise, open_at, secrets, settings,
};
use super::*;

/// Keys that `directory` holds: the current one, and one beside it.
fn keys(directory: &std::path::Path) -> [Option<Vec<u8>>; 2] {
    ["device.key", "device.key.next"].map(|name| std::fs::read(directory.join(name)).ok())
}

fn rotations(directory: &std::path::Path) -> usize {
    let mut count = 0;
    let mut take = |line: String| {
        count += usize::from(line.contains("\"act\":\"key_rotated\""));
        Ok(())
    };
    Queue::audit_lines(directory, &mut take).unwrap();
    count
}

#[test]
fn rotations_at_once_keep_every_clip_and_leave_one_key() {
    const PROCESSES: usize = 3;
    const EACH: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("queue");
    fill(&directory);
    let secrets = secrets(&directory);
    // A reviewer and an auditor, who have the queue open all along.
    let mut queue = open_at(&directory, 0).unwrap();
    let mut children: Vec<Child> = (0..PROCESSES)
        .map(|_| command(&directory, "rotations", &EACH.to_string()).spawn().unwrap())
        .collect();
    let mut looks = 0;
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let clip = queue.next_for(&ann()).unwrap().expect("a clip was lost");
        assert!((0..2).any(|seed| noise(seed) == clip.audio.samples()));
        let inspected = Queue::inspect(&directory, &settings(), None).unwrap();
        assert_eq!(inspected.problems, Vec::<String>::new());
        assert_eq!(queue.verify_audit().unwrap().problems, Vec::<String>::new());
        looks += 1;
        // Leaves the database to the others for a moment.
        std::thread::sleep(Duration::from_millis(20));
    }
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    assert!(looks > 0);
    assert!(rotations(&directory) >= PROCESSES * EACH);
    drop(queue);
    let [current, next] = keys(&directory);
    assert!(current.is_some() && next.is_none());
    assert_eq!(check(&directory, 0, &secrets, "rotations at once"), 2);
}

#[test]
fn a_rotation_behind_one_that_died_may_die_as_well() {
    for other in ["rekey:next_written", "act:committed", "rekey:old_overwritten"] {
        for place in [REKEY[0], REKEY[1], REKEY[3], REKEY[5]] {
            let folder = tempfile::tempdir().unwrap();
            let directory = folder.path().join("queue");
            fill(&directory);
            let secrets = secrets(&directory);
            die(&directory, &format!("rotate@{other}"), place);
            let what = format!("died at {place}, after another at {other}");
            assert_eq!(check(&directory, 0, &secrets, &what), 2, "{what}");
        }
    }
}

#[test]
fn a_rotation_that_fails_behind_one_that_died_takes_nothing_with_it() {
    for place in ["act:committed", "rekey:committed", "rekey:old_overwritten"] {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("queue");
        fill(&directory);
        let secrets = secrets(&directory);
        let mut queue = open_at(&directory, 0).unwrap();
        die(&directory, "rotate", place);
        let [_, committed] = keys(&directory);
        assert!(committed.is_some(), "the only copy of the database's key");
        // The next act of anybody moves it into place.
        let failed = queue.rekey(false, "Ann", Act::KeyRotated, |_| Err(audit::altered()));
        assert!(failed.is_err());
        assert_eq!(keys(&directory), [committed.clone(), None]);
        queue.rotate_key(&ann()).unwrap();
        assert_ne!(keys(&directory)[0], committed);
        drop(queue);
        assert_eq!(check(&directory, 0, &secrets, place), 2);
    }
}

#[test]
fn a_queue_whose_key_was_destroyed_stores_and_plays_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("queue");
    fill(&directory);
    let mut queue = open_at(&directory, 0).unwrap();
    let placed = Settings { directory: directory.clone(), ..settings() };
    destroy(&placed).unwrap();
    let refused = |error: crate::Error| {
        assert!(error.to_string().contains("device key is missing"), "{error}");
    };
    refused(queue.next_for(&ann()).err().unwrap());
    refused(queue.store(clip(2)).unwrap_err());
    // Nor once another queue lies in its place.
    fill(&directory);
    let error = queue.store(clip(2)).unwrap_err();
    assert!(error.to_string().contains("is not this queue's device key"), "{error}");
}
