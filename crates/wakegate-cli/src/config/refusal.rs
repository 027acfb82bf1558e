//! Typed TOML, or why a text is none: the line, the key, and what was probably meant.

use serde::{Serialize, de::DeserializeOwned};
use toml::Value;
use wakegate::{Error, ErrorKind, Result};

/// Least similarity of a key that is suggested, 0 to 1.
const SIMILAR: f64 = 0.7;

/// What `text` says; `keys` says where all keys are.
///
/// # Errors
/// [`ErrorKind::Settings`] for what is no TOML, an unknown key and a value of another form.
pub(crate) fn parse<T: DeserializeOwned + Serialize>(text: &str, keys: &str) -> Result<T> {
    let in_our_form = |error| refusal(&error, text, keys);
    let parsed: T = toml::from_str(text).map_err(in_our_form)?;
    let given = Value::Table(text.parse().map_err(in_our_form)?);
    let taken = Value::try_from(&parsed).map_err(|error| {
        Error::new(ErrorKind::Settings, "the settings are refused").found(error.to_string())
    })?;
    match list_for_table(&given, &taken) {
        None => Ok(parsed),
        Some(key) => Err(Error::new(ErrorKind::Settings, format!("{key} is refused"))
            .expected("a table")
            .found("a list")
            .hint(keys)),
    }
}

/// The key whose table was given as a list: serde fills it in the order of the fields, without names.
fn list_for_table(given: &Value, taken: &Value) -> Option<String> {
    let below = |name: String, given: &Value, taken: &Value| match (given, taken) {
        (Value::Array(_), Value::Table(_)) => Some(name),
        _ => list_for_table(given, taken).map(|key| format!("{name}.{key}")),
    };
    match (given, taken) {
        (Value::Table(given), Value::Table(taken)) => {
            given.iter().find_map(|(name, value)| below(name.clone(), value, taken.get(name)?))
        }
        (Value::Array(given), Value::Array(taken)) => (given.iter().zip(taken).enumerate())
            .find_map(|(place, (given, taken))| below((place + 1).to_string(), given, taken)),
        _ => None,
    }
}

/// `error` of parsing `text`, in our form; `keys` says where all of them are.
pub(crate) fn refusal(error: &toml::de::Error, text: &str, keys: &str) -> Error {
    let message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let line = error.span().map(|span| {
        let before = text.get(..span.start).unwrap_or(text);
        before.matches('\n').count() + 1
    });
    let place = line.map_or_else(|| "the settings".to_owned(), |line| format!("line {line}"));
    let Some(Unknown { what, unknown, known }) = Unknown::of(&message) else {
        let refused = Error::new(ErrorKind::Settings, place);
        let Some((expected, found)) = mismatch(&message) else {
            return refused.found(message).hint(keys);
        };
        // What is written once for each of several needs two brackets.
        let is_one_of_several = (&*expected, &*found) == ("a list", "a table");
        let hint =
            if is_one_of_several { "write [[wake_word]], as for several of them" } else { keys };
        return refused.expected(expected).found(found).hint(hint);
    };
    let nearest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(unknown, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity >= SIMILAR);
    let hint = match nearest {
        Some((_, name)) => format!("did you mean {name}?"),
        None => keys.to_owned(),
    };
    Error::new(ErrorKind::Settings, format!("{place}: unknown {what} {unknown}"))
        .expected(known.join(", "))
        .found(unknown)
        .hint(hint)
}

/// What was expected and what was found, in plain words, where a value has another form than its key.
fn mismatch(message: &str) -> Option<(String, String)> {
    if message.starts_with("invalid socket address") {
        return Some((form("socket address"), "another text".to_owned()));
    }
    let rest = message.strip_prefix("invalid type: ").or(message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    Some((form(expected), value(found)))
}

/// The name of a type, as serde has it, in plain words.
fn form(name: &str) -> String {
    let whole = |most: u64| format!("a whole number from 0 to {most}");
    match name {
        "u8" => whole(u8::MAX.into()),
        "u16" => whole(u16::MAX.into()),
        "u32" => whole(u32::MAX.into()),
        "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" | "path string" | "string or table" => "text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "socket address" => "an address with its port, as \"127.0.0.1:9464\"".to_owned(),
        name if name.starts_with("struct ") => "a table".to_owned(),
        name => name.to_owned(),
    }
}

/// A value, as serde shows it, in plain words.
fn value(shown: &str) -> String {
    let quoted =
        |kind: &str| shown.strip_prefix(kind).map(|rest| rest.trim_matches('`').to_owned());
    match shown {
        "map" => "a table".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => shown
            .strip_prefix("string ")
            .map(|text| format!("the text {text}"))
            .or_else(|| ["integer ", "floating point ", "boolean "].into_iter().find_map(quoted))
            .unwrap_or_else(|| shown.to_owned()),
    }
}

/// A name that is none of those which may stand there.
struct Unknown<'a> {
    what: &'static str,
    unknown: &'a str,
    known: Vec<&'a str>,
}

impl<'a> Unknown<'a> {
    /// What serde's message says of it, if it is about a name.
    fn of(message: &'a str) -> Option<Self> {
        let kinds = [("unknown field ", "key"), ("unknown variant ", "value")];
        let (rest, what) =
            kinds.iter().find_map(|(begin, what)| Some((message.strip_prefix(begin)?, *what)))?;
        let mut quoted = rest.split('`').skip(1).step_by(2);
        let unknown = quoted.next()?;
        Some(Self { what, unknown, known: quoted.collect() })
    }
}
