//! The walls of the design: who may name whom, who may print, how long a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may name of its own crate; which crate may name which is Cargo's to hold. A
/// new module needs a line here, and the line needs to agree with the design.
const MAY_USE: [(&str, &str, &[&str]); 23] = [
    (LIBRARY, "error", &[]),
    (LIBRARY, "intervals", &["error"]),
    (LIBRARY, "metric", &[]),
    (LIBRARY, "frontend", &["error", "audio"]),
    (LIBRARY, "decision", &["error"]),
    (LIBRARY, "audio", &["error"]),
    (LIBRARY, "model", &["error", "audio", "frontend"]),
    (LIBRARY, "pipeline", &["error", "audio", "frontend", "model", "decision"]),
    (LIBRARY, "gate", &["error", "audio", "decision", "metric", "pipeline"]),
    (LIBRARY, "stream", &["error", "decision", "gate", "model", "pipeline"]),
    (
        LIBRARY,
        "review",
        &[
            "error",
            "audio",
            "decision",
            "gate",
            "intervals",
            "metric",
            "model",
            "pipeline",
            "stream",
        ],
    ),
    (LAB, "decode", &[]),
    (LAB, "table", &[]),
    (LAB, "eval", &[]),
    (LAB, "corpus", &["decode", "table"]),
    (LAB, "scoring", &["corpus", "decode", "table"]),
    (LAB, "bench", &[]),
    (PROGRAM, "wyoming", &[]),
    (PROGRAM, "wav", &[]),
    (PROGRAM, "page", &["wav"]),
    (PROGRAM, "config", &["wyoming"]),
    (PROGRAM, "daemon", &["config", "wyoming"]),
    (PROGRAM, "commands", &["config", "daemon", "page", "wav", "wyoming"]),
];

/// The three crates.
const LIBRARY: &str = "src";
const LAB: &str = "crates/wakegate-lab/src";
const PROGRAM: &str = "crates/wakegate-cli/src";

/// Names that the crate root gives again, and the module they are from.
const REEXPORTED: [&str; 3] = ["Error", "ErrorKind", "Result"];

/// Crates that one module alone may name: its file, and the folder beside it.
const GUARDED: [(&str, &str); 11] = [
    ("ort", "src/model/onnx"),
    ("tract_onnx", "src/model/onnx/embedded"),
    ("cpal", "src/audio/capture"),
    ("rusqlite", "src/review"),
    ("symphonia", "crates/wakegate-lab/src/decode"),
    ("parquet", "crates/wakegate-lab/src/table"),
    // Threads are plain threads everywhere else.
    ("tokio", "crates/wakegate-cli/src/page"),
    ("tokio_rustls", "crates/wakegate-cli/src/page"),
    ("axum", "crates/wakegate-cli/src/page"),
    ("hyper", "crates/wakegate-cli/src/page"),
    ("hyper_util", "crates/wakegate-cli/src/page"),
];

/// Most lines that a file may have.
const MOST_LINES: usize = 400;

/// The Rust files of the three crates, by their paths in the checkout.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = [LIBRARY, LAB, PROGRAM].map(|folder| root.join(folder)).to_vec();
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 200, "the sources were not found");
    let relative = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

/// `text` without its comment lines.
fn code(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The first segments of every path that starts with `root::`, braces included.
fn named(code: &str, root: &str) -> BTreeSet<String> {
    let prefix = format!("{root}::");
    let mut names = BTreeSet::new();
    for (place, _) in code.match_indices(&prefix) {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if code[..place].chars().next_back().is_some_and(word) {
            continue;
        }
        let rest = &code[place + prefix.len()..];
        let first = |text: &str| text.trim().chars().take_while(|&c| word(c)).collect::<String>();
        if let Some(inner) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in inner.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => names.extend([first(&std::mem::take(&mut item))]),
                    _ => {}
                }
                if depth == 0 && !matches!(c, ',' | '}') {
                    item.push(c);
                }
            }
            names.extend([first(&item)]);
        } else {
            names.extend([first(rest)]);
        }
    }
    names.remove("");
    names
}

/// The crate and the module that `file` belongs to; no module for the crates' roots.
fn module(file: &str) -> (&'static str, Option<&str>) {
    let home = [LAB, PROGRAM, LIBRARY].into_iter().find(|home| file.starts_with(home)).unwrap();
    let top = file[home.len() + 1..].split('/').next().unwrap().trim_end_matches(".rs");
    (home, (!matches!(top, "lib" | "main")).then_some(top))
}

#[test]
fn the_scan_sees_every_form_of_a_path() {
    let text = "use crate::model::{Model, Runtime};\nuse crate::{Error, audio::{A, B}, frontend};\n\
                // crate::comment::is_none\nlet x = crate::decision::decide(mycrate::no::y);";
    let found = named(&code(text), "crate");
    let expected = ["Error", "audio", "decision", "frontend", "model"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn modules_name_only_what_the_design_lets_them() {
    for (file, text) in sources() {
        let (home, Some(module)) = module(&file) else { continue };
        let allowed = MAY_USE.iter().find(|(krate, name, _)| (*krate, *name) == (home, module));
        let (_, _, allowed) = allowed.unwrap_or_else(|| {
            panic!("{file}: the module {module} has no line in MAY_USE; add it by the design")
        });
        for name in named(&code(&text), "crate") {
            let name = if REEXPORTED.contains(&name.as_str()) { "error" } else { &name };
            assert!(
                name == module || allowed.contains(&name),
                "{file}: {module} may not name {name}, only {allowed:?}"
            );
        }
        assert!(!code(&text).contains("super::super::"), "{file}: use a path from the crate");
    }
}

#[test]
fn a_guarded_crate_is_named_in_one_module() {
    for (file, text) in sources() {
        let code = code(&text);
        for (krate, home) in GUARDED {
            let used = !named(&code, krate).is_empty() || code.contains(&format!("use {krate} "));
            let inside = file.strip_suffix(".rs") == Some(home)
                || file.strip_prefix(home).is_some_and(|rest| rest.starts_with('/'));
            assert!(!used || inside, "{file}: only {home} may name {krate}");
        }
    }
}

#[test]
fn only_the_commands_print() {
    for (file, text) in sources() {
        if module(&file) == (PROGRAM, Some("commands")) {
            continue;
        }
        let prints = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
        let found = prints.iter().find(|print| code(&text).contains(*print));
        assert!(found.is_none(), "{file}: {} belongs in {PROGRAM}/commands", found.unwrap());
    }
}

#[test]
fn files_stay_short() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines < MOST_LINES, "{file} has {lines} lines; part it");
    }
}
