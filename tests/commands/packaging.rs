//! The package: its files are there, its unit is as tight as the manual says, and the manual
//! names what there is.

use std::fs;
use std::process::Command;

use crate::cli_support::{checkout, embedded_id};

/// Highest exposure of the unit, in tenths: `systemd-analyze security` says 1.3.
const EXPOSURE: &str = "20";

fn unit() -> String {
    fs::read_to_string(checkout("packaging/wakegate.service")).unwrap()
}

#[test]
fn every_file_of_the_package_is_there() {
    let package = checkout("crates/wakegate-cli");
    let text = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let deb = manifest["package"]["metadata"]["deb"].as_table().unwrap();
    assert_eq!(deb["name"].as_str(), Some("wakegate"), "as the pages call the file");
    let assets = deb["assets"].as_array().unwrap();
    assert!(assets.len() >= 5);
    for asset in assets {
        let [from, to, mode] = asset.as_array().unwrap().as_slice() else { panic!("{asset}") };
        let from = from.as_str().unwrap();
        // What is built is not there yet; of several files their folder is.
        let there = match from.split_once('*') {
            Some((folder, _)) => package.join(folder).is_dir(),
            None => package.join(from).is_file(),
        };
        assert!(from.contains("target/") || there, "{from}");
        let expected = if to.as_str().unwrap().starts_with("usr/bin") { "755" } else { "644" };
        assert_eq!(mode.as_str().unwrap(), expected, "{from}");
    }
    let card = format!("../../models/{}/MODEL_CARD.md", embedded_id());
    assert!(assets.iter().any(|asset| asset[0].as_str() == Some(&card)), "{card}");
    // The default is in the binary; every other model has its folder.
    for entry in fs::read_dir(checkout("models")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_model = checkout("models").join(&name).join("manifest.toml").is_file();
        let folder = format!("usr/share/wakegate/models/{name}/");
        let packed = assets.iter().any(|asset| asset[1].as_str() == Some(&folder));
        assert_eq!(packed, is_model && name != embedded_id(), "{name}");
    }
    // Without this key cargo-deb writes no scripts, and nothing makes the user.
    assert!(package.join(deb["maintainer-scripts"].as_str().unwrap()).is_dir());
    let units = package.join(deb["systemd-units"]["unit-scripts"].as_str().unwrap());
    for file in ["wakegate.service", "wakegate.sysusers"] {
        assert!(units.join(file).is_file(), "{file}");
    }
    for kept in deb["conf-files"].as_array().unwrap() {
        let path = kept.as_str().unwrap().trim_start_matches('/');
        assert!(assets.iter().any(|asset| asset[1].as_str() == Some(path)), "{path}");
    }
}

#[test]
fn the_unit_agrees_with_the_rest() {
    let unit = unit();
    assert!(
        unit.contains("ExecStart=/usr/bin/wakegate listen --config /etc/wakegate/wakegate.toml")
    );
    let users = fs::read_to_string(checkout("packaging/wakegate.sysusers")).unwrap();
    assert!(unit.contains("User=wakegate") && users.contains("\nu wakegate "));
    let config = wakegate_cli::config::Config::default();
    assert!(unit.contains(&format!("LimitRTPRIO={}\n", config.runtime.priority)));
    // Cards are admitted only if the kernel has their group when the service starts.
    assert!(unit.contains("\nDeviceAllow=char-alsa "));
    for line in ["\nWants=modprobe@snd.service\n", "\nAfter=modprobe@snd.service\n"] {
        assert!(unit.contains(line), "{line}");
    }
    let manual = fs::read_to_string(checkout("docs/operators.md")).unwrap();
    // What the manual tells people to set is what there is.
    let keys: Vec<&str> = wakegate_cli::config::DEFAULT
        .lines()
        .filter_map(|line| line.trim_start_matches('#').split_once(" = "))
        .map(|(key, _)| key)
        .collect();
    for section in ["audio", "hooks", "metrics", "mqtt", "runtime"] {
        for named in manual.split(&format!("`{section}.")).skip(1) {
            let word = |c: char| c.is_ascii_lowercase() || c == '_';
            let key: String = named.chars().take_while(|&c| word(c)).collect();
            assert!(key.is_empty() || keys.contains(&key.as_str()), "{section}.{key}");
        }
    }
}

#[test]
fn the_unit_is_as_tight_as_the_manual_says() {
    let name = "the_unit_is_as_tight_as_the_manual_says";
    let Ok(output) = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE])
        .arg(checkout("packaging/wakegate.service"))
        .output()
    else {
        crate::skip::skipped(name, "there is no systemd-analyze");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("unrecognized option") {
        crate::skip::skipped(name, "this systemd-analyze knows no --offline");
        return;
    }
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{table}{said}");
    assert!(table.contains("Overall exposure level"), "{table}{said}");
}
