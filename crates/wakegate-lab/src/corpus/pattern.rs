//! What matches a pattern.
//!
//! Links are followed, but not round a loop: a folder that lies inside itself is gone through once.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

/// How a pattern's parts match: none of them goes beyond a slash but `**`.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// A path, or one that can't be read.
type Match = Result<PathBuf, (PathBuf, io::Error)>;

/// The paths that match `pattern`, sorted by name within each folder.
pub(super) fn matches(pattern: &str) -> Result<Vec<Match>, PatternError> {
    let path = Path::new(pattern);
    let is_plain =
        |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let start: PathBuf = path.components().take_while(is_plain).collect();
    // In a folder that has a name, patterns begin with it.
    let pattern = Pattern::new(&path.components().collect::<PathBuf>().to_string_lossy())?;
    let depth = path.components().count();
    let mut walk = Walk {
        pattern,
        // Without `**`, a match is as deep as the pattern.
        depth: (!path.components().any(|part| part.as_os_str() == "**")).then_some(depth),
        above: Vec::new(),
        found: Vec::new(),
    };
    walk.folder(&start, start.components().count());
    Ok(walk.found)
}

struct Walk {
    pattern: Pattern,
    depth: Option<usize>,
    /// The folders on the way down, by their real paths.
    above: Vec<PathBuf>,
    found: Vec<Match>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let listed = fs::canonicalize(here).and_then(|real| {
            let names = fs::read_dir(here)?.map(|entry| entry.map(|entry| entry.file_name()));
            Ok((real, names.collect::<io::Result<Vec<_>>>()?))
        });
        let (real, mut names) = match listed {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.found.push(Err((folder.to_owned(), error))),
        };
        if self.above.contains(&real) {
            return;
        }
        self.above.push(real);
        names.sort();
        for name in names {
            let path = folder.join(name);
            if self.pattern.matches_path_with(&path, OPTIONS) {
                self.found.push(Ok(path.clone()));
            }
            let deeper = self.depth.is_none_or(|most| depth + 1 < most);
            if deeper && path.is_dir() {
                self.folder(&path, depth + 1);
            }
        }
        self.above.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_goes_into_links_but_not_round_them() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a/b", "c", "elsewhere"] {
            fs::create_dir_all(root.join("top").join(name)).unwrap();
        }
        for name in ["top/x.wav", "top/a/y.wav", "top/a/b/z.wav", "top/c/w.flac"] {
            fs::write(root.join(name), "").unwrap();
        }
        for link in ["top/a/up", "top/c/up", "top/elsewhere/a"] {
            let to = if link.ends_with("/a") { "top/a" } else { "top" };
            std::os::unix::fs::symlink(root.join(to), root.join(link)).unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let pattern = format!("{}/{pattern}", root.display());
            let path = |found: Match| {
                found.unwrap().strip_prefix(root).unwrap().to_str().unwrap().to_owned()
            };
            matches(&pattern).unwrap().into_iter().map(path).collect()
        };
        assert_eq!(
            names("top/**/*.wav"),
            [
                "top/a/b/z.wav",
                "top/a/y.wav",
                "top/elsewhere/a/b/z.wav",
                "top/elsewhere/a/y.wav",
                "top/x.wav"
            ]
        );
        assert_eq!(names("top/*.wav"), ["top/x.wav"]);
        assert_eq!(
            names("t?p/[ac]/*"),
            ["top/a/b", "top/a/up", "top/a/y.wav", "top/c/up", "top/c/w.flac"]
        );
        assert_eq!(names("gone/*.wav"), Vec::<String>::new());
        assert!(matches("[").is_err());
    }
}
