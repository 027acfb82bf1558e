//! Why a text is no configuration: the line, the key, and what was probably meant.

use wakegate::{Error, ErrorKind};

/// Least similarity of a key that is suggested, 0 to 1.
const SIMILAR: f64 = 0.7;

/// `error` of parsing `text`, in our form; `keys` says where all of them are.
pub(crate) fn refusal(error: &toml::de::Error, text: &str, keys: &str) -> Error {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.matches('\n').count() + 1
    });
    let place = line.map_or_else(|| "the settings".to_owned(), |line| format!("line {line}"));
    let Some((unknown, known)) = unknown_key(&message) else {
        // What is written once for each of several needs two brackets.
        let hint = match message.as_str() {
            "invalid type: map, expected a sequence" => {
                "write [[wake_word]], as for several of them"
            }
            _ => keys,
        };
        return Error::new(ErrorKind::Settings, place).found(message).hint(hint);
    };
    let nearest = known
        .iter()
        .map(|key| (strsim::jaro_winkler(unknown, key), key))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity >= SIMILAR);
    let hint = match nearest {
        Some((_, key)) => format!("did you mean {key}?"),
        None => keys.to_owned(),
    };
    Error::new(ErrorKind::Settings, format!("{place}: unknown key {unknown}"))
        .expected(known.join(", "))
        .found(unknown)
        .hint(hint)
}

/// The unknown key, and the known ones, of serde's message.
fn unknown_key(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field ")?;
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    Some((unknown, quoted.collect()))
}
