//! The file with the device's secret.
//!
//! A rotation writes the new secret beside the old one, lets the database commit to it, and
//! only then moves it into place: at every moment the database's key is in one of the two.
//!
//! Whatever changes a file here is called while the database is locked for writing, so that no
//! two processes are at it at once; only [`destroy_both`] does not wait for anybody.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use zeroize::Zeroizing;

use super::crypto::{DeviceKey, KEY_BYTES, random};
use super::{fault, file_ownership};
use crate::{Error, ErrorKind, Result};

/// What a refusal calls it.
const WHAT: &str = "the device key";

type Secret = Zeroizing<[u8; KEY_BYTES]>;

/// The key in the file at `path`; `None` where there is no file.
///
/// # Errors
/// [`ErrorKind::Review`] for a file that others may read, that is another user's, that is no
/// plain file, or that does not hold a key.
pub(super) fn load(path: &Path) -> Result<Option<DeviceKey>> {
    let Some(mut file) = file_ownership::open_secret(path, WHAT)? else { return Ok(None) };
    let mut secret = Secret::default();
    let mut rest = [0; 1];
    let read = file.read_exact(secret.as_mut_slice()).and_then(|()| file.read(&mut rest));
    match read {
        Ok(0) => DeviceKey::derive(&secret).map(Some),
        Ok(_) => Err(no_key(path, "more")),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(no_key(path, "fewer")),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// Makes a key file at `path`, unless there is one by now, and gives its key.
pub(super) fn create(path: &Path) -> Result<DeviceKey> {
    // A draft, then a link that never replaces: a reader sees a whole key or none.
    let draft = beside(path, "new");
    write_new(&draft)?;
    fault::point("open:key_drafted");
    match fs::hard_link(&draft, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("create", path, &error));
        }
        _ => fault::point("open:key_linked"),
    }
    remove_draft(path)?;
    sync_folder(path)?;
    load(path)?.ok_or_else(|| no_key(path, "no"))
}

/// Removes what a creation that was cut short left. It may be another name of the key itself,
/// so that its bytes are not overwritten.
pub(super) fn remove_draft(path: &Path) -> Result<()> {
    remove(&beside(path, "new")).map(|_| ())
}

/// The key that the database goes by, `wanted`, and nothing else beside it: the secret of a
/// rotation that was cut short takes its place if the database has committed to it, and is
/// destroyed if not.
///
/// # Errors
/// [`ErrorKind::Review`] where neither file holds that key, and as [`load`]. Nothing is
/// overwritten then.
pub(super) fn settle(path: &Path, wanted: &str) -> Result<DeviceKey> {
    let found = load(path);
    match found {
        Ok(Some(key)) if key.id() == wanted => {
            destroy(&beside(path, "next"))?;
            Ok(key)
        }
        _ => match load(&beside(path, "next")) {
            Ok(Some(key)) if key.id() == wanted => {
                promote(path)?;
                Ok(key)
            }
            _ => {
                found?.ok_or_else(|| missing(path))?;
                Err(foreign(path))
            }
        },
    }
}

/// Writes a fresh secret beside the one at `path`. After [`settle`] nothing that is worth
/// anything lies there.
pub(super) fn write_next(path: &Path) -> Result<DeviceKey> {
    let next = beside(path, "next");
    destroy(&next)?;
    write_new(&next)?;
    sync_folder(path)?;
    fault::point("rekey:next_written");
    load(&next)?.ok_or_else(|| no_key(&next, "no"))
}

/// The key `wanted`, from whichever of the two files holds it; else what the one at `path`
/// holds. Changes nothing.
pub(super) fn find(path: &Path, wanted: &str) -> Result<DeviceKey> {
    let found = load(path);
    if let Ok(Some(key)) = &found
        && key.id() == wanted
    {
        return found?.ok_or_else(|| missing(path));
    }
    match load(&beside(path, "next")) {
        Ok(Some(key)) if key.id() == wanted => Ok(key),
        _ => found?.ok_or_else(|| missing(path)),
    }
}

/// Overwrites the old secret and moves the one beside it into its place.
fn promote(path: &Path) -> Result<()> {
    overwrite(path)?;
    fault::point("rekey:old_overwritten");
    fs::rename(beside(path, "next"), path).map_err(|e| Error::io("replace", path, &e))?;
    sync_folder(path)
}

/// Overwrites and removes the secret at `path` and the one beside it, as far as that goes.
pub(super) fn destroy_both(path: &Path) -> Result<()> {
    let first = destroy(path);
    destroy(&beside(path, "next")).and(first)
}

/// Overwrites and removes the secret at `path`, if there is one.
fn destroy(path: &Path) -> Result<()> {
    overwrite(path)?;
    if remove(path)? { sync_folder(path) } else { Ok(()) }
}

/// Removes the file at `path`; `false` where there is none.
fn remove(path: &Path) -> Result<bool> {
    // Asked first: on a read-only medium even the removal of nothing is refused.
    match fs::symlink_metadata(path).and_then(|_| fs::remove_file(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path, &error)),
        Ok(()) => Ok(true),
    }
}

/// Overwrites the secret at `path`, unless it is missing or may not be written.
fn overwrite(path: &Path) -> Result<()> {
    let flags = OFlags::NOFOLLOW.bits() as i32;
    let mut file = match OpenOptions::new().write(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(Error::io("open", path, &error)),
    };
    file.write_all(&[0; KEY_BYTES])
        .and_then(|()| file.sync_all())
        .map_err(|e| Error::io("overwrite", path, &e))
}

fn write_new(path: &Path) -> Result<()> {
    let mut secret = Secret::default();
    random(secret.as_mut_slice())?;
    let open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(|e| Error::io("create", path, &e))?;
    fault::point("key:created");
    file.write_all(secret.as_slice())
        .and_then(|()| file.sync_all())
        .map_err(|e| Error::io("write", path, &e))
}

fn missing(path: &Path) -> Error {
    Error::new(ErrorKind::Review, "the queue's device key is missing")
        .expected(format!("the key in {}", path.display()))
        .found("no file")
        .hint("name it with key_file; `wakegate review purge --all` starts over")
}

fn foreign(path: &Path) -> Error {
    Error::new(ErrorKind::Review, format!("{} is not this queue's device key", path.display()))
        .expected("the key that the queue was last locked with")
        .found("another one")
        .hint("name it with key_file; `wakegate review purge --all` starts over")
}

fn no_key(path: &Path, found: &str) -> Error {
    Error::new(ErrorKind::Review, format!("{} holds no device key", path.display()))
        .expected(format!("{KEY_BYTES} bytes"))
        .found(format!("{found} bytes"))
        .hint("`wakegate review purge --all` starts over; nothing stored can be read any more")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// Makes a change of names last through a power cut.
fn sync_folder(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io("sync", folder, &e))
}
