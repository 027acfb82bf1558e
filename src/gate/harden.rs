//! What a process can do so that the samples in its memory stay there.

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::AudioBuffer;

/// What [`harden`] did and what it could not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardening {
    /// Whether a crash leaves no core file, and no other process of this user can look inside.
    pub no_dumps: bool,
    /// How far memory is kept out of swap.
    pub locked: Locked,
    /// What could not be done, one line each, with the way out; to be said at start.
    pub problems: Vec<String>,
}

/// How far memory is kept out of swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locked {
    /// All of the process.
    Process,
    /// The buffers of the gate alone.
    Buffers,
    /// Nothing: the system refuses.
    Nothing,
}

/// Turns core dumps off and keeps memory out of swap, as far as the system allows.
///
/// All memory is locked where there is no limit on it; a limit that the process could later
/// run into would end it, so under one only the gate's own buffers are locked.
pub fn harden() -> Hardening {
    let mut problems = Vec::new();
    let no_dumps = no_dumps(&mut problems);
    let locked = lock(&mut problems);
    Hardening { no_dumps, locked, problems }
}

fn no_dumps(problems: &mut Vec<String>) -> bool {
    let limit = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    // A core that is piped to a handler ignores the limit, so the flag is needed as well.
    let flag = not_dumpable();
    for (what, result) in [("the core size limit", limit), ("the dumpable flag", flag)] {
        if let Err(error) = result {
            problems.push(format!(
                "a crash could write memory to disk: {what} can't be set: {error} (hint: set \
                 LimitCORE=0 for the service)"
            ));
        }
    }
    limit.is_ok() && flag.is_ok()
}

#[cfg(target_os = "linux")]
fn not_dumpable() -> Result<(), Errno> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
fn not_dumpable() -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

fn lock(problems: &mut Vec<String>) -> Locked {
    let unlimited = getrlimit(Resource::Memlock).current.is_none();
    if unlimited && lock_all().is_ok() {
        return Locked::Process;
    }
    let hint = "(hint: set LimitMEMLOCK=infinity for the service, or turn swap off)";
    if AudioBuffer::silent(1).is_locked() {
        problems.push(format!("only the gate's buffers are kept out of swap {hint}"));
        return Locked::Buffers;
    }
    problems.push(format!("audio in memory may reach swap: the system refuses to lock it {hint}"));
    Locked::Nothing
}

/// Locks pages as they are touched, not whole mappings at once.
#[cfg(target_os = "linux")]
fn lock_all() -> Result<(), Errno> {
    use rustix::mm::{MlockAllFlags, mlockall};
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT)
}

#[cfg(not(target_os = "linux"))]
fn lock_all() -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
