//! Measurements that are kept, each in a file of its name.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use wakegate::{Error, ErrorKind, Result};
use wakegate_lab::bench::Report;
use wakegate_lab::table::write_whole;

/// The measurement kept under `name`.
pub fn open(folder: Option<&Path>, name: &str) -> Result<Report> {
    let path = path(folder, name)?;
    let text = fs::read_to_string(&path).map_err(|error| {
        Error::io("read", &path, &error)
            .hint(format!("keep one first with `wakegate bench --save {name}`"))
    })?;
    Report::parse(&text).map_err(|error| error.context(path.display()))
}

/// The file of `name`.
pub fn path(folder: Option<&Path>, name: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(Error::new(ErrorKind::Settings, "a measurement's name is refused")
            .expected("letters, digits, hyphens, underscores and full stops")
            .found(format!("{name:?}")));
    }
    let folder = folder.map_or_else(usual, |folder| Ok(folder.to_owned()))?;
    Ok(folder.join(format!("{name}.json")))
}

/// Keeps `report` in the file `path`.
pub fn save(path: &Path, report: &Report) -> Result<()> {
    let failed = |error: &std::io::Error| Error::io("write", path, error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let mut text = serde_json::to_string_pretty(report).map_err(|error| failed(&error.into()))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}

fn usual() -> Result<PathBuf> {
    if Path::new("target").is_dir() {
        return Ok(Path::new("target").join("wakegate-bench"));
    }
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = named("XDG_CACHE_HOME").or_else(|| named("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("wakegate/bench")).ok_or_else(|| {
        Error::new(ErrorKind::Settings, "there is no place for measurements")
            .expected("XDG_CACHE_HOME or HOME in the environment")
            .hint("name a folder with --baselines")
    })
}
