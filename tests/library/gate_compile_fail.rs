//! The compiler holds the rule: programs that go around the gate do not compile.
//!
//! Each file of `tests/compile_fail` names in its first line the error that it must give.
//! `allowed.rs` must compile, by which the harness shows that the others fail for their own
//! reason. They are compiled against the library that this test is linked with, which takes
//! seconds; a build of their own would compile every dependency once more.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The library files of a crate beside this test, newest first.
fn libraries(name: &str) -> Vec<PathBuf> {
    let folder = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let file = path.file_name().unwrap().to_str().unwrap();
            file.starts_with(&format!("lib{name}-")) && file.ends_with(".rlib")
        })
        .collect();
    let modified = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    found.sort_by_key(|path| std::cmp::Reverse(modified(path)));
    assert!(!found.is_empty(), "no library {name} beside the test");
    found
}

struct Compiler {
    wakegate: PathBuf,
    serde: PathBuf,
    out: tempfile::TempDir,
}

impl Compiler {
    /// The newest wakegate that has the review queue, and the serde that it was built with:
    /// builds of the same library with fewer features may lie beside it.
    fn new() -> Self {
        let mut said = Vec::new();
        for wakegate in libraries("wakegate") {
            for serde in libraries("serde") {
                let out = tempfile::tempdir().unwrap();
                let compiler = Self { wakegate: wakegate.clone(), serde, out };
                let output = compiler.compile(&case("allowed"));
                if output.status.success() {
                    return compiler;
                }
                said = output.stderr;
            }
        }
        panic!("what is allowed does not compile: {}", String::from_utf8_lossy(&said));
    }

    fn compile(&self, file: &Path) -> Output {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let external = |name: &str, path: &Path| format!("{name}={}", path.display());
        Command::new(rustc)
            .args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "--out-dir"])
            .arg(self.out.path())
            .arg("-L")
            .arg(format!("dependency={}", self.wakegate.parent().unwrap().display()))
            .args(["--extern", &external("wakegate", &self.wakegate)])
            .args(["--extern", &external("serde", &self.serde)])
            .arg(file)
            .output()
            .unwrap()
    }
}

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/compile_fail/{name}.rs"))
}

#[test]
fn what_goes_around_the_gate_does_not_compile() {
    let compiler = Compiler::new();
    let mut failures = 0;
    for entry in fs::read_dir(case("").parent().unwrap()).unwrap() {
        let file = entry.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let Some(code) = text.strip_prefix("//! E").map(|rest| format!("error[E{}]", &rest[..4]))
        else {
            assert!(file.ends_with("allowed.rs"), "{}: names no error", file.display());
            continue;
        };
        let output = compiler.compile(&file);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success(), "{} compiles", file.display());
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error[")).collect();
        assert!(
            !errors.is_empty() && errors.iter().all(|error| error.starts_with(&code)),
            "{}: expected {code} alone: {said}",
            file.display()
        );
        failures += 1;
    }
    assert_eq!(failures, 23);
}
