//! What docs/THREATS.md says is tested: each test that it names is there.

use std::collections::BTreeSet;
use std::fs;

use crate::cli_support::checkout;

/// Names of the functions under `#[test]` in a module of this program.
fn tests_of(module: &str) -> Vec<String> {
    let text = fs::read_to_string(checkout(&format!("tests/attack/{module}.rs"))).unwrap();
    let behind = text.split("#[test]").skip(1);
    let name = |text: &str| Some(text.split_once("fn ")?.1.split_once('(')?.0.to_owned());
    behind.map(|text| name(text).unwrap()).collect()
}

#[test]
fn every_attack_of_the_table_is_a_test_and_every_test_is_in_the_table() {
    let text = fs::read_to_string(checkout("docs/THREATS.md")).unwrap();
    let (_, table) = text.split_once("## Promise and attack").unwrap();
    let mut named = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let attack = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        // `module`: `test`, `test`; `module`: `test`
        for part in attack.split("; ") {
            let (module, tests) = part.split_once(": ").unwrap_or_else(|| panic!("{row}"));
            let there = tests_of(module.trim_matches('`'));
            for test in tests.split(", ").map(|test| test.trim_matches('`').to_owned()) {
                assert!(there.contains(&test), "{module} has no test {test}: {row}");
                named.insert(format!("{}::{test}", module.trim_matches('`')));
            }
        }
    }
    let modules = fs::read_dir(checkout("tests/attack")).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        Some(name.strip_suffix(".rs")?.to_owned())
    });
    for module in modules.filter(|module| !["main", "promises"].contains(&&**module)) {
        for test in tests_of(&module) {
            let test = format!("{module}::{test}");
            assert!(named.contains(&test), "{test} stands for no promise of docs/THREATS.md");
        }
    }
}

#[test]
fn every_file_of_tests_that_is_named_is_there() {
    let text = fs::read_to_string(checkout("docs/THREATS.md")).unwrap();
    let files = text.split('`').filter(|name| {
        ["tests/", "src/"].iter().any(|folder| name.starts_with(folder)) && !name.contains(' ')
    });
    assert!(files.inspect(|name| assert!(checkout(name).exists(), "{name}")).count() > 10);
}
