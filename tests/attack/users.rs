//! What another user of the machine can prepare, and what comes of it: nothing.
//!
//! Each test is two users and so needs root; elsewhere each is skipped by name. `make attack` and
//! `make test` become root for them where they can.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::cli_support::{checkout, stderr};
use wakegate::gate::SystemClock;
use wakegate::review::{Queue, Settings};

/// The other user, whoever that may be.
const MALLORY: u32 = 54_321;
/// A user who runs the program and is not root.
const ADA: u32 = 54_322;

/// A folder that everybody can see, with the program and a settings file in it.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// The machine of a test; none, with a note that it is skipped, where this is not root.
    fn of(test: &str) -> Option<Self> {
        if rustix::process::geteuid().as_raw() != 0 {
            crate::skip::skipped(&format!("users::{test}"), "it is two users, which takes root");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        chmod(folder.path(), 0o755);
        let program = folder.path().join("wakegate");
        fs::copy(env!("CARGO_BIN_EXE_wakegate"), &program).unwrap();
        let settings = "[review]\nenabled = true\nmin_free_mb = 0\n";
        fs::write(folder.path().join("settings.toml"), settings).unwrap();
        fs::copy(checkout("data/alexa_timer.flac"), folder.path().join("a.flac")).unwrap();
        Some(Self { folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program as `user`.
    fn run(&self, user: u32, arguments: &[&str]) -> Output {
        Command::new(self.path("wakegate"))
            .env_remove("ORT_DYLIB_PATH")
            .current_dir(self.folder.path())
            .uid(user)
            .gid(user)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// Everything that could fill or open the queue, as `user`; the messages.
    fn try_all(&self, user: u32, queue: &str) -> Vec<String> {
        let place = ["--config", "settings.toml", "--queue", queue];
        let commands: [&[&str]; 5] = [
            &["review", "consent", "--by", "Owner"],
            &["score", "a.flac"],
            &["listen", "--input", "a.flac"],
            &["review", "list", "--by", "Owner"],
            &["review", "audit", "verify"],
        ];
        let run = |command: &&[&str]| {
            let output = self.run(user, &[command, &place[..]].concat());
            assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
            stderr(&output)
        };
        commands.iter().map(run).collect()
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
}

/// A queue as Mallory would prepare it: a key that they know and an empty database.
fn bait(queue: &Path) {
    fs::create_dir_all(queue).unwrap();
    chmod(queue, 0o700);
    for (name, bytes) in [("device.key", &[7_u8; 32][..]), ("queue.db", &[])] {
        fs::write(queue.join(name), bytes).unwrap();
        chmod(&queue.join(name), 0o600);
        give(&queue.join(name), MALLORY);
    }
    give(queue, MALLORY);
}

#[test]
fn root_fills_no_queue_that_another_user_prepared() {
    let Some(machine) = Machine::of("root_fills_no_queue_that_another_user_prepared") else {
        return;
    };
    let queue = machine.path("queue");
    bait(&queue);
    for said in machine.try_all(0, "queue") {
        assert!(said.contains("queue is refused: expected one of user 0"), "{said}");
        assert!(said.contains("found one of user 54321"), "{said}");
    }
    // A wipe leaves what is not ours alone as well.
    let wiped = machine.run(0, &["review", "--queue", "queue", "purge", "--all", "--by", "Owner"]);
    assert_eq!(wiped.status.code(), Some(2), "{wiped:?}");
    assert_eq!(fs::read(queue.join("device.key")).unwrap(), [7; 32]);
    assert_eq!(fs::metadata(queue.join("queue.db")).unwrap().len(), 0);
    assert_eq!(fs::read_dir(&queue).unwrap().count(), 2, "nothing was put beside them");
}

#[test]
fn each_part_of_a_queue_must_be_root_s_own() {
    for part in ["", "queue.db", "queue.db-wal", "queue.db-shm", "queue.db-journal", "device.key"] {
        let Some(machine) = Machine::of("each_part_of_a_queue_must_be_root_s_own") else { return };
        let queue = machine.path("queue");
        let place = ["--config", "settings.toml", "--queue", "queue"];
        let consent = [&["review", "consent", "--by", "Owner"], &place[..]].concat();
        assert!(machine.run(0, &consent).status.success());
        let path = queue.join(part);
        if !path.exists() {
            fs::write(&path, "").unwrap();
            chmod(&path, 0o600);
        }
        let before = machine.run(0, &[&["review", "status"], &place[..]].concat());
        assert!(before.status.success(), "{part}: {before:?}");
        if !path.exists() {
            fs::write(&path, "").unwrap();
            chmod(&path, 0o600);
        }
        give(&path, MALLORY);
        for said in machine.try_all(0, "queue") {
            assert!(said.contains("of user 54321"), "{part}: {said}");
        }
    }
}

#[test]
fn a_way_to_the_queue_that_another_user_can_change_is_refused() {
    let Some(machine) = Machine::of("a_way_to_the_queue_that_another_user_can_change_is_refused")
    else {
        return;
    };
    // Mallory's folder above root's own queue; a link to it does not help.
    let (above, queue) = (machine.path("above"), machine.path("above/queue"));
    fs::create_dir(&above).unwrap();
    let consent = ["review", "--queue", "above/queue", "consent", "--by", "Owner"];
    assert!(machine.run(0, &consent).status.success());
    give(&above, MALLORY);
    symlink(&queue, machine.path("link")).unwrap();
    for name in ["above/queue", "link"] {
        for said in machine.try_all(0, name) {
            assert!(said.contains("a folder above the review queue's folder"), "{said}");
        }
    }
    // The key's way counts as well.
    give(&above, 0);
    fs::write(above.join("k"), [7; 32]).unwrap();
    chmod(&above.join("k"), 0o600);
    give(&above, MALLORY);
    let keyed = ["review", "--queue", "own", "--key-file", "above/k", "consent", "--by", "Owner"];
    let output = machine.run(0, &keyed);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("a folder above the device key"), "{output:?}");
}

#[test]
fn a_user_s_queue_is_theirs_alone_and_serves_them_in_a_folder_such_as_tmp() {
    let Some(machine) =
        Machine::of("a_user_s_queue_is_theirs_alone_and_serves_them_in_a_folder_such_as_tmp")
    else {
        return;
    };
    let shared = machine.path("shared");
    fs::create_dir(&shared).unwrap();
    chmod(&shared, 0o1777);
    let place = ["--config", "settings.toml", "--queue", "shared/queue"];
    let run = |user, command: &[&str]| machine.run(user, &[command, &place[..]].concat());
    let consent = ["review", "consent", "--by", "Owner"];
    assert!(run(ADA, &consent).status.success());
    let scored = run(ADA, &["score", "a.flac"]);
    assert!(stderr(&scored).contains("1 clip stored"), "{scored:?}");
    let owner = fs::metadata(shared.join("queue/queue.db")).unwrap().uid();
    assert_eq!(owner, ADA);
    // Mallory sees nothing, and is told why: not that there is no queue.
    let other = run(MALLORY, &["review", "status"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(stderr(&other).contains("Permission denied"), "{other:?}");
    assert!(!stderr(&other).contains("consent` makes one"), "{other:?}");
    // Root may read everything, and would leave files that are root's: it is told whom to ask.
    for said in machine.try_all(0, "shared/queue") {
        assert!(said.contains("run as that user"), "{said}");
    }
    // In a folder that is not sticky anybody could put another queue in its place.
    chmod(&shared, 0o777);
    let said = stderr(&run(ADA, &["review", "status"]));
    assert!(said.contains("a folder above the review queue's folder"), "{said}");
}

#[test]
fn a_queue_that_is_open_does_not_take_a_key_that_was_put_in_the_place_of_its_own() {
    let Some(machine) = Machine::of(
        "a_queue_that_is_open_does_not_take_a_key_that_was_put_in_the_place_of_its_own",
    ) else {
        return;
    };
    let directory = machine.path("queue");
    let settings = Settings { enabled: true, min_free_mb: 0, ..Settings::default() };
    let mut queue =
        Queue::open(&directory, &settings, std::sync::Arc::new(SystemClock::new())).unwrap();
    queue.give_consent(&"Owner".parse().unwrap()).unwrap();
    give(&directory.join("device.key"), MALLORY);
    let error = queue.gate_state().unwrap_err().to_string();
    assert!(error.contains("a file of user 54321"), "{error}");
}
