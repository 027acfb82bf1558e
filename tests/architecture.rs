//! The walls of the design: who may name whom, who may print, how long a file may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the library may name of the others. A new module needs a line here,
/// and the line needs to agree with the design.
const MAY_USE: [(&str, &[&str]); 16] = [
    ("error", &[]),
    ("frontend", &["error"]),
    ("decision", &["error"]),
    ("audio", &["error"]),
    ("config", &["error", "audio", "review", "wyoming"]),
    ("corpus", &["error", "audio", "table"]),
    ("model", &["error", "frontend"]),
    ("pipeline", &["error", "frontend", "model", "decision"]),
    (
        "runtime",
        &["error", "audio", "config", "decision", "gate", "model", "pipeline", "review", "wyoming"],
    ),
    ("scoring", &["error", "audio", "corpus", "decision", "gate", "model", "pipeline", "table"]),
    ("bench", &["error", "audio", "decision", "gate", "model", "pipeline"]),
    ("eval", &["error"]),
    ("table", &["error"]),
    ("gate", &["error", "decision", "pipeline"]),
    ("review", &["error", "decision", "eval", "frontend", "gate", "model", "pipeline"]),
    ("wyoming", &["error", "audio", "model", "decision", "pipeline", "review"]),
];

/// Names that the crate root gives again, and the module they are from.
const REEXPORTED: [&str; 3] = ["Error", "ErrorKind", "Result"];

/// Crates that one module alone may name: its file, and the folder beside it.
const GUARDED: [(&str, &str); 9] = [
    ("ort", "model/onnx"),
    ("tract_onnx", "model/onnx/embedded"),
    ("cpal", "audio/capture"),
    ("parquet", "table"),
    // Threads are plain threads everywhere else.
    ("tokio", "review/web"),
    ("tokio_rustls", "review/web"),
    ("axum", "review/web"),
    ("hyper", "review/web"),
    ("hyper_util", "review/web"),
];

/// Most lines that a file may have.
const MOST_LINES: usize = 400;

/// The Rust files below `src`, by their paths relative to it.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
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
    assert!(files.len() > 20, "the sources were not found");
    let relative = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
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

/// The module of the library that `file` belongs to; none for the crate root and the binary.
fn module(file: &str) -> Option<&str> {
    let top = file.split('/').next().unwrap().trim_end_matches(".rs");
    (!matches!(top, "lib" | "main" | "cli")).then_some(top)
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
        let Some(module) = module(&file) else { continue };
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module);
        let (_, allowed) = allowed.unwrap_or_else(|| {
            panic!("{file}: the module {module} has no line in MAY_USE; add it by the design")
        });
        for name in named(&code(&text), "crate") {
            let name = if REEXPORTED.contains(&name.as_str()) { "error" } else { &name };
            assert!(
                name == module || allowed.contains(&name),
                "src/{file}: {module} may not name {name}, only {allowed:?}"
            );
        }
        assert!(!code(&text).contains("super::super::"), "src/{file}: use a path from the crate");
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
            assert!(!used || inside, "src/{file}: only src/{home} may name {krate}");
        }
    }
}

#[test]
fn only_the_command_line_prints() {
    for (file, text) in sources() {
        let library = module(&file).is_some() || file == "lib.rs";
        let prints = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
        let found = prints.iter().find(|print| code(&text).contains(*print));
        assert!(!library || found.is_none(), "src/{file}: {} belongs in src/cli", found.unwrap());
    }
}

#[test]
fn files_stay_short() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines < MOST_LINES, "src/{file} has {lines} lines; part it");
    }
}
