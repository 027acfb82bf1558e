//! Everything at once: the panic wipe, and a new device key.

use super::audit::Act;
use super::id::Person;
use super::queue::Queue;
use super::settings::Settings;
use super::{db, file_ownership, keyfile};
use crate::Result;

impl Queue {
    /// Deletes every clip and replaces the device key: what was copied before can't be read
    /// with what is here after. Consent, counts, scores and the audit log stay. Gives the
    /// number of clips wiped.
    ///
    /// # Errors
    /// As every act; [`destroy`] works where this does not.
    pub fn purge_all(&mut self, by: &Person) -> Result<u64> {
        self.rekey(true, by.as_str(), Act::Purged, |_| Ok(()))
    }

    /// Replaces the device key, and wraps every clip's key again: older copies of the queue
    /// can't be read with the new key, nor new ones with the old.
    ///
    /// # Errors
    /// As every act.
    pub fn rotate_key(&mut self, by: &Person) -> Result<()> {
        self.rekey(false, by.as_str(), Act::KeyRotated, |_| Ok(())).map(|_| ())
    }
}

/// Destroys a queue that can't be opened: first the device key, without which nothing in it
/// can be read, then the files. The audit log, the consent and the scores go with them.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) where a file can't be overwritten or removed,
/// [`ErrorKind::Review`](crate::ErrorKind::Review) for a folder that somebody else can write.
pub fn destroy(settings: &Settings) -> Result<()> {
    if settings.directory.exists() {
        // What somebody else put there is not ours to overwrite.
        file_ownership::own_folder(&settings.directory, db::FOLDER)?;
    }
    // A key that can't be removed is no reason to keep the rest.
    let key = keyfile::destroy_both(&settings.key_path());
    db::destroy(&settings.directory).and(key)
}
