//! What a value of a manifest may be.

use crate::{Error, ErrorKind, Result};

/// An error about the value of `field`.
pub(super) fn refused(field: &str) -> Error {
    Error::new(ErrorKind::Model, format!("manifest value {field} is refused"))
}

/// Refuses a value outside its range.
pub(super) fn in_range(field: &str, value: f64, low: f64, high: f64) -> Result<()> {
    // A NaN lies in no range, so it is refused here too.
    if (low..=high).contains(&value) {
        return Ok(());
    }
    // f32 values arrive widened; six digits show what the manifest says.
    let shown = |v: f64| ((v * 1e6).round() / 1e6).to_string();
    Err(refused(field).expected(format!("{} to {}", shown(low), shown(high))).found(shown(value)))
}

/// Refuses a text that says nothing.
pub(super) fn stated(field: &str, text: &str) -> Result<()> {
    if !text.trim().is_empty() && text.len() <= 200 && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(refused(field)
        .expected("1 to 200 printable characters")
        .found(format!("{:?}", text.chars().take(40).collect::<String>())))
}

/// A package never reaches outside its own directory.
pub(super) fn file_name(field: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    Err(refused(field)
        .expected("a file name without a folder")
        .found(format!("{name:?}"))
        .hint("put the file beside the manifest"))
}

/// Refuses what is no hash.
pub(super) fn sha256(field: &str, digits: &str) -> Result<()> {
    if digits.len() == 64 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')) {
        return Ok(());
    }
    Err(refused(field)
        .expected("64 lower-case hexadecimal digits")
        .found(format!("{digits:?}"))
        .hint("take them from `sha256sum FILE`"))
}

/// The parser's message on one line, with the line number it refers to.
pub(super) fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}
