//! Which column of a manifest means what.

use std::path::PathBuf;

use serde_json::Value;

use super::{Item, MOST_SECONDS, Recording, Settings};
use wakegate::{Error, ErrorKind, Result};

/// What a column can mean, in the order of [`Columns::names`].
const MEANINGS: [&str; 5] = ["path", "id", "trigger_s", "label", "group"];

/// The names of the columns that mean something here, and of those that are carried through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// By [`MEANINGS`].
    names: [String; 5],
    /// Those that the user named: a table without them is refused.
    asked: [bool; 5],
    carried: Vec<String>,
}

impl Default for Columns {
    /// Columns of the same names as what they mean; none is carried.
    fn default() -> Self {
        Self { names: MEANINGS.map(str::to_owned), asked: [false; 5], carried: Vec::new() }
    }
}

impl Columns {
    /// Columns by pairs `MEANING=NAME`, where the meaning is `path`, `id`, `trigger_s`, `label` or
    /// `group`, and what is not named keeps the meaning's own name; and the `carried` ones.
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
        self.names.iter().chain(&self.carried).any(|name| name == column)
    }

    /// Refuses a table that has `present` columns and lacks one that is needed.
    pub(super) fn check(&self, present: &[String], table: &str) -> Result<()> {
        // The path is always needed.
        let needed = self.names.iter().zip(self.asked).enumerate();
        let needed = needed.filter(|(place, (_, asked))| *asked || *place == 0).map(|(_, n)| n.0);
        match needed.chain(&self.carried).find(|name| !present.contains(name)) {
            None => Ok(()),
            Some(name) => {
                Err(Error::new(ErrorKind::Settings, format!("{table} has no column {name:?}"))
                    .expected(format!("one of {}", present.join(", ")))
                    .hint("--column path=NAME says where the paths are"))
            }
        }
    }

    /// The item of a manifest's row, with the value of a column by `get` (null where there is
    /// none). `place` names a row that has no path.
    #[must_use]
    pub fn row(&self, get: &dyn Fn(&str) -> Value, settings: &Settings, place: String) -> Item {
        match text(&get(&self.names[0])) {
            Some(path) => {
                let rooted: PathBuf = settings.rooted(&path);
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
        let [_, id, trigger, label, group] = &self.names;
        let about = &mut item.about;
        about.id = text(&get(id)).or_else(|| about.id.take());
        about.label = text(&get(label));
        about.group = text(&get(group));
        about.carried = self.carried.iter().map(|name| get(name)).collect();
        match seconds(&get(trigger)) {
            Ok(trigger_s) => about.trigger_s = trigger_s,
            Err(error) => item.audio = Err(error),
        }
    }
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
