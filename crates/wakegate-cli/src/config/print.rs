//! A configuration as text, with the comments of `default.toml`.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::{Config, DEFAULT};

/// `config` as a complete, commented file: [`DEFAULT`] with the values of `config`.
pub fn print(config: &Config) -> String {
    let values = Table::try_from(config).unwrap_or_default();
    let mut out = String::new();
    for block in blocks(DEFAULT) {
        let name = block.lines().find_map(section);
        match name.and_then(|name| values.get(name)) {
            Some(Value::Array(tables)) => {
                for table in tables {
                    out.push_str(&filled(block, table.as_table()));
                }
            }
            Some(Value::Table(table)) => out.push_str(&filled(block, Some(table))),
            _ => out.push_str(block),
        }
    }
    out
}

/// `text` in pieces that end in front of an empty line's next line: one section each.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive("\n\n")
}

/// The name in a line `[name]` or `[[name]]`.
fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.strip_suffix(']').map(|name| name.trim_matches(['[', ']']))
}

/// The key of a line `key = value` or `#key = value`.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix('#').unwrap_or(line).split_once(" = ")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

fn filled(block: &str, values: Option<&Table>) -> String {
    let mut out = String::new();
    for line in block.split_inclusive('\n') {
        let value = key(line.trim_end()).and_then(|key| Some((key, values?.get(key)?)));
        match value {
            // Writing to a string can't fail.
            Some((key, value)) => drop(writeln!(out, "{key} = {}", shown(value))),
            None => out.push_str(line),
        }
    }
    if !out.ends_with("\n\n") && block.ends_with("\n\n") {
        out.push('\n');
    }
    out
}

/// A value as TOML. A 32-bit float arrives widened: six digits are what was meant.
fn shown(value: &Value) -> String {
    match value {
        Value::Float(number) => {
            let rounded = (number * 1e6).round() / 1e6;
            Value::Float(rounded).to_string()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_default_text_is_the_default_and_prints_as_itself() {
        assert_eq!(Config::parse(DEFAULT).unwrap(), Config::default());
        assert_eq!(Config::parse("").unwrap(), Config::default());
        assert_eq!(print(&Config::default()), DEFAULT);
    }

    #[test]
    fn the_default_text_names_every_key_with_a_value_that_is_taken() {
        // Every optional key comes to life with its example; of two that exclude each other, one.
        let text = DEFAULT.replace("\ntls = false", "\ntls = true");
        let with_all_but = |left_out: &str| -> String {
            let lines = text.lines().filter(|line| key(line) != Some(left_out));
            lines
                .map(|line| match key(line) {
                    Some(_) => format!("{}\n", line.trim_start_matches('#')),
                    None => format!("{line}\n"),
                })
                .collect()
        };
        let named = |text: &str| text.lines().filter_map(key).map(str::to_owned).collect();
        let in_text: BTreeSet<String> = named(DEFAULT);
        let mut in_types = BTreeSet::new();
        for left_out in ["sensitivity", "intended_at"] {
            let config = Config::parse(&with_all_but(left_out)).unwrap();
            for (_, section) in &Table::try_from(&config).unwrap() {
                let table = section.as_table().or_else(|| section.as_array()?.first()?.as_table());
                in_types.extend(table.unwrap().keys().cloned());
            }
            assert_eq!(Config::parse(&print(&config)).unwrap(), config);
        }
        assert_eq!(in_text, in_types);
        // Every key's comment says its range or its choices.
        for (before, line) in DEFAULT.lines().zip(DEFAULT.lines().skip(1)) {
            assert!(key(line).is_none() || before.starts_with("# "), "{line} has no comment");
        }
    }

    #[test]
    fn what_is_printed_is_what_was_read() {
        let text = "[audio]\ndevice = \"USB\"\nchannel = 2\n[[wake_word]]\nintended_at = 0.97\n\
                    [[wake_word]]\nmodel = \"jarvis\"\n[metrics]\nlisten = \"127.0.0.1:9464\"\n";
        let config = Config::parse(text).unwrap();
        let printed = print(&config);
        assert_eq!(Config::parse(&printed).unwrap(), config);
        assert!(printed.contains("\nintended_at = 0.97\n"), "{printed}");
        assert_eq!(printed.matches("[[wake_word]]").count(), 2);
    }
}
