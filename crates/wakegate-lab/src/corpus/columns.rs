//! Which column of a manifest means what.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Item, MOST_SECONDS, Recording, Settings};
use wakegate::{Error, ErrorKind, Result};

/// What a column can mean, in the order of [`Columns::names`].
const MEANINGS: [&str; 6] = ["path", "id", "trigger_s", "label", "group", "channel"];
/// Columns by which other programs read parts of recordings.
const PARTS: [&str; 5] = ["offset", "start", "begin", "start_time", "start_offset"];
/// How alike a name has to be for a word about it, of 1.
const NEAR: f64 = 0.75;

/// The names of the columns that mean something here, and of those that are carried through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// By [`MEANINGS`].
    names: [String; 6],
    /// Those that the user named: a table without them is refused.
    asked: [bool; 6],
    carried: Vec<String>,
}

impl Default for Columns {
    /// Columns of the same names as what they mean; none is carried.
    fn default() -> Self {
        Self { names: MEANINGS.map(str::to_owned), asked: [false; 6], carried: Vec::new() }
    }
}

impl Columns {
    /// Columns by pairs `MEANING=NAME`, where the meaning is `path`, `id`, `trigger_s`, `label`,
    /// `group` or `channel`, and what is not named keeps the meaning's own name; and the `carried` ones.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] for a pair that is none, a meaning twice, a carried column twice.
    pub fn new(pairs: &[String], carried: &[String]) -> Result<Self> {
        let mut columns = Self { carried: carried.to_vec(), ..Self::default() };
        for pair in pairs {
            let refused = || {
                Error::new(ErrorKind::Settings, "a column is refused")
                    .expected(format!("MEANING=NAME, the meaning once and one of {MEANINGS:?}"))
                    .found(pair.clone())
            };
            let (meaning, name) = pair.split_once('=').ok_or_else(refused)?;
            let place = MEANINGS.iter().position(|known| *known == meaning).ok_or_else(refused)?;
            if columns.asked[place] || name.is_empty() {
                return Err(refused());
            }
            columns.names[place] = name.to_owned();
            columns.asked[place] = true;
        }
        for (index, name) in carried.iter().enumerate() {
            if carried[..index].contains(name) {
                return Err(Error::new(ErrorKind::Settings, "a column is carried twice")
                    .expected("each column once")
                    .found(name.clone()));
            }
        }
        Ok(columns)
    }

    /// The columns that are carried through, in the order asked for.
    pub fn carried(&self) -> &[String] {
        &self.carried
    }

    /// Whether any meaning or carried column has this name.
    pub(super) fn name(&self, column: &str) -> bool {
        self.names.iter().chain(&self.carried).any(|name| is_same(name, column))
    }

    /// Refuses a table that has `present` columns and lacks one that is needed, or has one of
    /// them twice.
    pub(super) fn check(&self, present: &[String], table: &str) -> Result<()> {
        // The path is always needed.
        let needed = self.names.iter().zip(self.asked).enumerate();
        let needed = needed.filter(|(place, (_, asked))| *asked || *place == 0).map(|(_, n)| n.0);
        let lacks = |name: &&String| !present.iter().any(|column| is_same(name, column));
        if let Some(name) = needed.chain(&self.carried).find(lacks) {
            return Err(Error::new(ErrorKind::Settings, format!("{table} has no column {name:?}"))
                .expected(format!("one of {}", present.join(", ")))
                .hint("--column path=NAME says where the paths are"));
        }
        let twice = |name: &&String| present.iter().filter(|column| column == name).count() > 1;
        match self.names.iter().chain(&self.carried).find(twice) {
            None => Ok(()),
            Some(name) => {
                Err(Error::new(ErrorKind::Settings, format!("{table} has a column twice"))
                    .expected("each column that is read once")
                    .found(format!("{name:?} twice")))
            }
        }
    }

    /// Whether the column of this name is carried or was asked for, or the path.
    pub(super) fn needs(&self, column: &str) -> bool {
        let named = self.names.iter().zip(self.asked).enumerate();
        let mut needed =
            named.filter(|(place, (_, asked))| *asked || *place == 0).map(|(_, n)| n.0);
        needed.any(|name| is_same(name, column)) || self.carried.iter().any(|n| is_same(n, column))
    }

    /// Whether a column is read as a number of seconds.
    pub(super) fn is_trigger(&self, column: &str) -> bool {
        is_same(&self.names[2], column)
    }

    /// Whether a column says which channel is heard.
    pub(super) fn is_channel(&self, column: &str) -> bool {
        is_same(&self.names[5], column)
    }

    /// What may be meant by columns of `present` that are not read: a name that is nearly one that
    /// would be, or a place in the recording.
    pub(super) fn near(&self, present: &[String]) -> Vec<String> {
        let missing = self.names.iter().filter(|name| !present.iter().any(|c| is_same(name, c)));
        let near = missing.flat_map(|name| {
            let unread = present.iter().filter(|column| !self.name(column));
            let alike = unread.filter(move |column| {
                let (a, b) = (name.to_ascii_lowercase(), column.trim().to_ascii_lowercase());
                strsim::normalized_damerau_levenshtein(&a, &b) >= NEAR
            });
            alike.map(move |column| (column, name))
        });
        let near = near.map(|(column, name)| {
            format!("the column {column:?} is not read; {name:?} would be (--column says which is meant)")
        });
        let unread = present.iter().filter(|column| !self.name(column));
        let places = unread.filter(|column| PARTS.iter().any(|part| is_same(part, column)));
        let places = places.map(|column| {
            format!(
                "the column {column:?} is not read: whole recordings are judged, not parts of them"
            )
        });
        near.chain(places).collect()
    }

    /// The item of a manifest's row, with the value of a column by `get` (null where there is
    /// none). `place` names a row that has no path.
    #[must_use]
    pub fn row(&self, get: &dyn Fn(&str) -> Value, settings: &Settings, place: String) -> Item {
        match text(&get(&self.names[0])) {
            Some(path) if path.contains('\n') => {
                let error = Error::new(ErrorKind::Settings, "the row names no recording")
                    .expected("a path on one line")
                    .found("a line break in it")
                    .hint("a quote may be missing");
                let mut item = Item::problem(place, error);
                self.fill(&mut item, get);
                item
            }
            Some(path) => {
                let rooted: PathBuf = settings.rooted(Path::new(&path));
                let mut item = Item::new(path, Ok(Recording::File(rooted)));
                self.fill(&mut item, get);
                item
            }
            None => {
                let error = Error::new(ErrorKind::Settings, "the row names no recording")
                    .expected(format!("a path in the column {:?}", self.names[0]))
                    .found("nothing");
                let mut item = Item::problem(place, error);
                self.fill(&mut item, get);
                item
            }
        }
    }

    /// Puts everything but the path into `item`. A trigger that is none is the item's problem.
    pub(super) fn fill(&self, item: &mut Item, get: &dyn Fn(&str) -> Value) {
        let [_, id, trigger, label, group, channel] = &self.names;
        let about = &mut item.about;
        about.id = text(&get(id)).or_else(|| about.id.take());
        about.label = text(&get(label));
        about.group = text(&get(group));
        about.carried = self.carried.iter().map(|name| get(name)).collect();
        match seconds(&get(trigger)) {
            Ok(trigger_s) => about.trigger_s = trigger_s,
            Err(error) => item.audio = Err(error),
        }
        match text(&get(channel)).map(|name| name.trim().parse()).transpose() {
            Ok(choice) => item.about.channel = choice,
            Err(error) => item.audio = Err(error),
        }
    }
}

/// Whether a table's `column` is the one that is called `name`: spaces around it and its case make
/// no difference.
pub(super) fn is_same(name: &str, column: &str) -> bool {
    name == column || name.trim().eq_ignore_ascii_case(column.trim())
}

/// A value as text; none for null and for nothing.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (!text.is_empty()).then_some(text)
}

fn seconds(value: &Value) -> Result<Option<f64>> {
    let number = match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.trim().is_empty() => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    match number.filter(|seconds| (0.0..=MOST_SECONDS).contains(seconds)) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(Error::new(ErrorKind::Settings, "the trigger is refused")
            .expected("seconds from the start of the recording, 0 or more")
            .found(text(value).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(columns: &Columns, object: &Value) -> Item {
        let get = |name: &str| object.get(name).cloned().unwrap_or(Value::Null);
        columns.row(&get, &Settings::default(), "m.jsonl:3".to_owned())
    }

    #[test]
    fn a_row_is_read_by_the_names_that_were_given() {
        let pairs = ["path=file", "group=spk"].map(str::to_owned);
        let columns = Columns::new(&pairs, &["n".to_owned(), "x".to_owned()]).unwrap();
        let object = json!({"file": "a.wav", "id": 7, "spk": "s1", "label": "", "trigger_s": "1.5",
            "n": 2.5, "group": "unused"});
        let item = row(&columns, &object);
        assert!(matches!(&item.audio, Ok(Recording::File(path)) if path.as_os_str() == "a.wav"));
        assert_eq!((item.about.path.as_str(), item.about.id.as_deref()), ("a.wav", Some("7")));
        assert_eq!((item.about.label.as_deref(), item.about.group.as_deref()), (None, Some("s1")));
        assert_eq!(
            (item.about.trigger_s, item.about.carried),
            (Some(1.5), vec![json!(2.5), Value::Null])
        );
    }

    #[test]
    fn a_bad_row_is_its_own_problem() {
        let columns = Columns::default();
        let item = row(&columns, &json!({"id": "a"}));
        assert_eq!((item.about.path.as_str(), item.about.id.as_deref()), ("m.jsonl:3", Some("a")));
        assert_eq!(
            item.audio.unwrap_err().to_string(),
            "the row names no recording: expected a path in the column \"path\", found nothing"
        );
        for bad in [json!("soon"), json!(-1), json!("NaN"), json!([1]), json!(1e9)] {
            let item = row(&columns, &json!({"path": "a.wav", "trigger_s": bad}));
            let error = item.audio.unwrap_err().to_string();
            assert!(error.starts_with("the trigger is refused: expected seconds"), "{error}");
        }
        for none in [json!(null), json!(" ")] {
            let item = row(&columns, &json!({"path": "a.wav", "trigger_s": none}));
            assert!(item.audio.is_ok() && item.about.trigger_s.is_none());
        }
    }

    #[test]
    fn pairs_that_mean_nothing_are_refused() {
        for pairs in [&["path"][..], &["speaker=a"], &["id=a", "id=b"], &["id="]] {
            let pairs: Vec<String> = pairs.iter().map(|&pair| pair.to_owned()).collect();
            let error = Columns::new(&pairs, &[]).unwrap_err().to_string();
            assert!(error.starts_with("a column is refused: expected MEANING=NAME"), "{error}");
        }
        assert!(Columns::new(&[], &["a".to_owned(), "a".to_owned()]).is_err());
        let twice = ["path", "path"].map(str::to_owned);
        assert!(Columns::default().check(&twice, "m.csv").is_err());
        let near = ["path", "trigger", "Labels", "speaker", " ID "].map(str::to_owned);
        assert_eq!(
            Columns::default().near(&near),
            [
                "the column \"trigger\" is not read; \"trigger_s\" would be (--column says which is meant)",
                "the column \"Labels\" is not read; \"label\" would be (--column says which is meant)",
            ]
        );
        let columns = Columns::new(&["group=spk".to_owned()], &["x".to_owned()]).unwrap();
        let check = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            columns.check(&names, "m.csv").map_err(|error| error.to_string())
        };
        assert_eq!(check(&["path", "spk", "x"]), Ok(()));
        for (names, lacking) in
            [(["spk", "x"], "path"), (["path", "x"], "spk"), (["path", "spk"], "x")]
        {
            let error = check(&names).unwrap_err();
            assert!(
                error.starts_with(&format!("m.csv has no column {lacking:?}: expected one of "))
            );
        }
    }
}
