//! A file that is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use wakegate::{Error, ErrorKind, Result};

/// Writes a file beside its place, and moves it there once it is complete. Until then, and
/// after an error, what was at its place before is still there.
///
/// Dropped without [`commit`](Self::commit), it leaves nothing.
#[derive(Debug)]
pub struct WholeFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    is_done: bool,
}

impl WholeFile {
    /// Starts the file that is to lie at `path`. A link there is followed.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where the folder can't be written, or `path` is there and no plain file.
    pub fn create(path: &Path) -> Result<Self> {
        let path = match fs::canonicalize(path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(Error::io("write", path, &error)),
        };
        // A file can't be moved onto a folder, and must not be onto a device or a pipe.
        if path.exists() && !path.is_file() {
            return Err(Error::new(ErrorKind::Io, format!("cannot write {}", path.display()))
                .expected("the name of a file")
                .found("something else"));
        }
        let mut partial = path.clone().into_os_string();
        partial.push(format!(".{}.part", std::process::id()));
        let partial = PathBuf::from(partial);
        // What a process of the same number may have left. Never written through a link.
        let file = match create_new(&partial) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&partial).and_then(|()| create_new(&partial))
            }
            made => made,
        };
        let file = file.map_err(|e| Error::io("create", &partial, &e))?;
        Ok(Self { file, partial, path, is_done: false })
    }

    /// Moves the file to its place, for good: it is on the medium when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Io`]; its place is then as it was.
    pub fn commit(mut self) -> Result<()> {
        self.file.sync_all().map_err(|e| Error::io("write", &self.path, &e))?;
        fs::rename(&self.partial, &self.path).map_err(|e| Error::io("write", &self.path, &e))?;
        self.is_done = true;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(|e| Error::io("sync", folder, &e))
    }
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// As [`WholeFile::create`] and [`WholeFile::commit`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes).map_err(|e| Error::io("write", path, &e))?;
    file.commit()
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for WholeFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_done {
            // Whoever gave up on it has an error to tell already.
            let _ = fs::remove_file(&self.partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        let mut names: Vec<String> =
            fs::read_dir(folder).unwrap().map(|e| name(e).into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        for text in ["one", "two"] {
            let mut file = WholeFile::create(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.commit().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"thr").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(names(folder.path()), ["a.csv"], "nothing is left beside it");
    }

    #[test]
    fn a_link_is_followed_and_a_folder_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a.csv"), folder.path().join("link.csv"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut file = WholeFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let error = WholeFile::create(folder.path()).unwrap_err();
        assert!(error.to_string().contains("the name of a file"), "{error}");
    }

    #[test]
    fn what_a_dead_process_left_is_replaced_and_never_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.csv"), folder.path().join("other"));
        fs::write(&other, "mine").unwrap();
        let left = folder.path().join(format!("a.csv.{}.part", std::process::id()));
        std::os::unix::fs::symlink(&other, &left).unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "mine");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
