//! `wakegate --version`: which program this is, for a report of a fault.

use wakegate::Result;
use wakegate::model::Model;

use super::output;

/// What is compiled in, beside the library.
fn features() -> String {
    let all = [
        ("capture", cfg!(feature = "capture")),
        ("corpora", cfg!(feature = "corpora")),
        ("documents", cfg!(feature = "documents")),
        ("page", cfg!(feature = "page")),
        ("tls", cfg!(feature = "tls")),
    ];
    let there: Vec<&str> = all.iter().filter(|(_, there)| *there).map(|(name, _)| *name).collect();
    if there.is_empty() { "none".to_owned() } else { there.join(" ") }
}

/// Prints version, commit, target, features and model.
pub fn show() -> Result<()> {
    let model = Model::embedded()?;
    let manifest = model.manifest();
    output::line(format_args!("wakegate {}", env!("CARGO_PKG_VERSION")))?;
    for (name, text) in [
        ("commit", env!("WAKEGATE_COMMIT")),
        ("target", env!("WAKEGATE_TARGET")),
        ("features", &features()),
        ("model", &format!("{} (\"{}\")", manifest.id(), manifest.wake_word)),
    ] {
        output::line(format_args!("{name:<9} {text}"))?;
    }
    Ok(())
}
