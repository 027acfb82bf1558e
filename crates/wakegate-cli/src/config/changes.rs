//! What differs between two configurations.

use toml::{Table, Value};

use super::Config;

/// The keys that differ, one line each: `audio.ring_s: 2.0 -> 3.0`.
pub fn changes(old: &Config, new: &Config) -> Vec<String> {
    let values = |config| Value::Table(Table::try_from(config).unwrap_or_default());
    let mut found = Vec::new();
    compare("", Some(&values(old)), Some(&values(new)), &mut found);
    found
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<String>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let empty = Table::new();
    match (old, new) {
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                let path = format!("{path}[{}]", index + 1);
                match (old.get(index), new.get(index)) {
                    (Some(old), Some(new)) => compare(&path, Some(old), Some(new), found),
                    (None, _) => found.push(format!("{path}: added")),
                    (_, None) => found.push(format!("{path}: removed")),
                }
            }
        }
        _ if table(old).is_some() || table(new).is_some() => {
            let old = table(old).unwrap_or(&empty);
            let new = table(new).unwrap_or(&empty);
            for (key, value) in old {
                compare(&join(key), Some(value), new.get(key), found);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                compare(&join(key), None, Some(value), found);
            }
        }
        (old, new) if old != new => {
            let shown = |v: Option<&Value>| v.map_or_else(|| "unset".to_owned(), Value::to_string);
            found.push(format!("{path}: {} -> {}", shown(old), shown(new)));
        }
        _ => {}
    }
}

fn table(value: Option<&Value>) -> Option<&Table> {
    value.and_then(Value::as_table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_named_and_nothing_else() {
        let old = Config::parse("[audio]\ndevice = \"a\"\n").unwrap();
        let text = "[audio]\nring_s = 3.0\n[[wake_word]]\nspotter_threshold = 0.5\n\
                    [[wake_word]]\nmodel = \"x\"\n[log]\nlevel = \"info\"\n";
        let new = Config::parse(text).unwrap();
        assert_eq!(
            changes(&old, &new),
            [
                "audio.device: \"a\" -> unset",
                "audio.ring_s: 2.0 -> 3.0",
                "log.level: \"warn\" -> \"info\"",
                "wake_word[1].spotter_threshold: unset -> 0.5",
                "wake_word[2]: added",
            ]
        );
        assert!(changes(&old, &old).is_empty());
        assert_eq!(changes(&new, &old).len(), 5);
    }
}
