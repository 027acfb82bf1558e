//! Whose files are taken: those that only this process's user, or root, can have put there.
//!
//! A folder that somebody else can write holds what they want it to hold: a key that they know, a
//! database with a trigger in it. So the whole way to a file counts, as it does for `ssh`: each
//! folder on it must be this user's or root's, and writable by nobody else. A sticky folder such
//! as `/tmp` may be: what lies in it can be removed by its owner alone.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::{Error, ErrorKind, Result};

/// Bits of a mode by which group and others may write.
const OTHERS_WRITE: u32 = 0o022;
/// The bit of a folder in which each may remove only what is their own.
const STICKY: u32 = 0o1000;

/// The real path of `folder`, which must be this user's own, writable by nobody else, and on a
/// way that nobody else can change. `what` names it in the refusal.
///
/// # Errors
/// [`ErrorKind::Review`] for another folder, [`ErrorKind::Io`] for one that can't be examined.
pub(super) fn own_folder(folder: &Path, what: &str) -> Result<PathBuf> {
    let folder = fs::canonicalize(folder).map_err(|e| Error::io("open", folder, &e))?;
    let about = fs::metadata(&folder).map_err(|e| Error::io("examine", &folder, &e))?;
    if !about.is_dir() {
        return Err(refused(what, &folder).expected("a folder").found("something else"));
    }
    check_own(&folder, &about, what)?;
    check_way(&folder, what)?;
    Ok(folder)
}

/// Refuses a file that is not this user's own plain file, or that others may write; a missing one
/// is fine.
///
/// # Errors
/// As `own_folder`.
pub(super) fn own_file_if_any(file: &Path, what: &str) -> Result<()> {
    let about = match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about.map_err(|e| Error::io("examine", file, &e))?,
    };
    if !about.is_file() {
        return Err(refused(what, file).expected("a plain file").found("something else"));
    }
    check_own(file, &about, what)
}

/// Opens a secret: a plain file of this user or of root that nobody else may read, on a way that
/// nobody else can change; `None` where there is no file.
///
/// # Errors
/// As `own_folder`.
pub fn open_secret(path: &Path, what: &str) -> Result<Option<File>> {
    let Some(path) = real(path, what)? else { return Ok(None) };
    // A link is refused by the system, and a pipe does not hold anybody up.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(&format!("open {what}"), &path, &error)),
    };
    let about = file.metadata().map_err(|e| Error::io("examine", &path, &e))?;
    let refused = |found: String, hint: String| {
        refused(what, &path)
            .expected("a plain file that only its owner can read")
            .found(found)
            .hint(hint)
    };
    if !about.is_file() {
        return Err(refused("something else".into(), "name another file".into()));
    }
    let me = me();
    let listed = about.mode() & 0o007 == 0 && list_admits_only(&file, me);
    if about.mode() & 0o077 != 0 && !listed {
        return Err(refused(
            format!("mode {:04o}", about.mode() & 0o7777),
            format!(
                "others may have read it: `chmod 600 {}`, then replace what it holds (the device \
                 key: `wakegate review key rotate`)",
                path.display()
            ),
        ));
    }
    if about.uid() != me && about.uid() != 0 {
        return Err(refused(
            format!("a file of user {}", about.uid()),
            "run as the user whose file it is".into(),
        ));
    }
    Ok(Some(file))
}

/// `path` in the real folder that it lies in, once nobody else can change the way there; `None`
/// where there is no such folder.
fn real(path: &Path, what: &str) -> Result<Option<PathBuf>> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = match fs::canonicalize(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        folder => folder.map_err(|e| Error::io("open", folder_of(path), &e))?,
    };
    let Some(name) = path.file_name() else {
        return Err(refused(what, path).expected("a file").found("a folder"));
    };
    let path = folder.join(name);
    check_way(&path, what)?;
    Ok(Some(path))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn check_own(path: &Path, about: &Metadata, what: &str) -> Result<()> {
    let me = me();
    if about.uid() != me {
        return Err(refused(what, path)
            .expected(format!("one of user {me}, who runs this"))
            .found(format!("one of user {}", about.uid()))
            .hint(
                "whoever it belongs to may have prepared it: run as that user, or name another",
            ));
    }
    check_mode(path, about, what)
}

fn check_mode(path: &Path, about: &Metadata, what: &str) -> Result<()> {
    if about.mode() & OTHERS_WRITE == 0 {
        return Ok(());
    }
    Err(refused(what, path)
        .expected("one that only its owner can write")
        .found(format!("mode {:04o}", about.mode() & 0o7777))
        .hint(format!("if nobody has put anything there: `chmod go-w {}`", path.display())))
}

/// Checks every folder above `path`, which is a real one.
fn check_way(path: &Path, what: &str) -> Result<()> {
    for folder in path.ancestors().skip(1) {
        let about = fs::metadata(folder).map_err(|e| Error::io("examine", folder, &e))?;
        let owner = about.uid();
        if owner != 0 && owner != me() {
            return Err(refused(&format!("a folder above {what},"), folder)
                .expected(format!("one of root or of user {}", me()))
                .found(format!("one of user {owner}"))
                .hint("its owner could put another in its place: name a folder elsewhere"));
        }
        if about.mode() & STICKY == 0 {
            check_mode(folder, &about, &format!("a folder above {what},"))?;
        }
    }
    Ok(())
}

fn refused(what: &str, path: &Path) -> Error {
    Error::new(ErrorKind::Review, format!("{what} {} is refused", path.display()))
}

/// Whether `file` has an access control list that lets nobody in but its owner, root and `me`.
/// Where there is one, the group's bits of the mode are the list's mask: a credential of systemd
/// is root's, 0440, and the list names the one user who may read it.
fn list_admits_only(file: &File, me: u32) -> bool {
    let mut list = [0; 1_024];
    let read = rustix::fs::fgetxattr(file, "system.posix_acl_access", &mut list);
    read.is_ok_and(|length| admits_only(&list[..length], me))
}

/// Whether an access control list in the kernel's form lets nobody in but the owner, root and `me`.
fn admits_only(list: &[u8], me: u32) -> bool {
    // The kernel's form, version 2: entries of tag, permissions and user or group, all
    // little-endian.
    const VERSION: [u8; 4] = [2, 0, 0, 0];
    const OWNER: u8 = 0x01;
    const USER: u8 = 0x02;
    const MASK: u8 = 0x10;
    let Some((version, entries)) = list.split_first_chunk() else { return false };
    let (entries, rest) = entries.as_chunks::<8>();
    *version == VERSION
        && rest.is_empty()
        && entries.iter().all(|&[tag, _, permissions, _, id @ ..]| {
            let id = u32::from_le_bytes(id);
            permissions == 0
                || matches!(tag, OWNER | MASK)
                || (tag == USER && (id == me || id == 0))
        })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use rustix::fs::{XattrFlags, setxattr};
    use rustix::io::Errno;

    use super::*;

    /// A list as the kernel has it: tag, permissions, user or group.
    fn list(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(permissions.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_list_that_admits_the_daemon_alone_is_no_reason_to_refuse_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.key");
        fs::write(&path, [7; 32]).unwrap();
        let none = u32::MAX;
        // Its owner, a user, the group, the mask, everybody else: what systemd sets.
        let with = |user: (u16, u16, u32), group: u16, other: u16| {
            let mut entries =
                [(1, 4, none), user, (4, group, none), (0x10, 4, none), (0x20, other, none)];
            // The kernel takes them in the order of their tags alone.
            entries.sort_by_key(|entry| entry.0);
            list(&entries)
        };
        for (text, taken) in [
            (with((2, 4, me()), 0, 0), true),
            (with((2, 4, me() + 1), 0, 0), false),
            (with((2, 4, me()), 4, 0), false),
            (with((2, 4, me()), 0, 4), false),
            (with((8, 4, me()), 0, 0), false),
        ] {
            assert_eq!(admits_only(&text, me()), taken, "{text:?}");
            chmod(&path, 0o600);
            match setxattr(&path, "system.posix_acl_access", &text, XattrFlags::empty()) {
                Ok(()) => {}
                // The list itself was judged above.
                Err(Errno::OPNOTSUPP) => continue,
                Err(error) => panic!("{error}"),
            }
            let mode = fs::metadata(&path).unwrap().mode();
            assert_ne!(mode & 0o077, 0, "{mode:o}");
            assert_eq!(open_secret(&path, "the key").is_ok(), taken, "{text:?}");
        }
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_and_so_is_one_above_it() {
        let top = tempfile::tempdir().unwrap();
        let (above, folder) = (top.path().join("above"), top.path().join("above/queue"));
        fs::create_dir_all(&folder).unwrap();
        let check = || own_folder(&folder, "the queue").map_err(|error| error.to_string());
        for (path, fine) in [(&folder, 0o700), (&above, 0o755)] {
            chmod(&above, 0o755);
            chmod(&folder, 0o700);
            for bad in [0o770, 0o702, 0o777] {
                chmod(path, bad);
                let error = check().unwrap_err();
                assert!(error.contains(&format!("mode {bad:04o}")), "{error}");
                assert!(error.contains(&format!("chmod go-w {}", path.display())), "{error}");
            }
            chmod(path, fine);
            check().unwrap();
        }
        chmod(&above, 0o1777);
        assert_eq!(check().unwrap(), fs::canonicalize(&folder).unwrap(), "as /tmp is");
        // By another name it is the same folder.
        let link = top.path().join("link");
        symlink(&folder, &link).unwrap();
        assert_eq!(own_folder(&link, "the queue").unwrap(), fs::canonicalize(&folder).unwrap());
    }

    #[test]
    fn a_file_that_others_can_write_and_what_is_no_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("queue.db");
        own_file_if_any(&file, "the database").unwrap();
        fs::write(&file, "").unwrap();
        for (mode, fine) in [(0o600, true), (0o644, true), (0o620, false), (0o602, false)] {
            chmod(&file, mode);
            assert_eq!(own_file_if_any(&file, "the database").is_ok(), fine, "{mode:o}");
        }
        fs::remove_file(&file).unwrap();
        symlink("elsewhere", &file).unwrap();
        assert!(own_file_if_any(&file, "the database").is_err(), "a link");
    }
}
