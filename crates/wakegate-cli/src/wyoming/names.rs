//! The names of the wake words that are served, and which word a client means by a name.

use std::collections::BTreeMap;

use wakegate::model::Model;
use wakegate::{Error, ErrorKind, Result};

/// What is said before a name, and belongs to the engine's word more than to the name.
const GREETINGS: [&str; 2] = ["hey ", "ok "];

/// The names, in the one form in which they are compared.
pub(super) struct Names {
    words: Vec<String>,
    /// Other names, and what they stand for.
    aliases: BTreeMap<String, usize>,
}

/// Refuses models that can't be served together, and other names for none of them.
///
/// # Errors
/// [`ErrorKind::Settings`] for no word, two of the same name or an alias for none.
pub fn check_names(models: &[Model], aliases: &BTreeMap<String, String>) -> Result<()> {
    Names::new(models, aliases).map(drop)
}

impl Names {
    /// The names of `models`; `aliases` are others for them.
    ///
    /// # Errors
    /// As [`check_names`].
    pub(super) fn new(models: &[Model], aliases: &BTreeMap<String, String>) -> Result<Self> {
        if models.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "there is no wake word to serve")
                .expected("at least one model"));
        }
        let mut names = Self { words: Vec::new(), aliases: BTreeMap::new() };
        let shown: Vec<&str> = models.iter().map(|it| it.manifest().wake_word.as_str()).collect();
        for name in &shown {
            let key = normalised(name);
            if names.words.contains(&key) {
                return Err(Error::new(ErrorKind::Settings, "two models have one wake word")
                    .expected("a wake word for each model")
                    .found(format!("{name:?} twice"))
                    .hint("leave one of the two models out"));
            }
            names.words.push(key);
        }
        for (alias, name) in aliases {
            let index = names.find(name).ok_or_else(|| {
                let key = format!("wyoming.upstream_names.{alias}");
                Error::new(ErrorKind::Settings, format!("{key} is refused"))
                    .expected(format!("one of {}", shown.join(", ")))
                    .found(format!("{name:?}"))
            })?;
            names.aliases.insert(normalised(alias), index);
        }
        Ok(names)
    }

    /// Which word `name` means: case, `_` and `-`, a version or date at its end and a model file's
    /// folder and ending don't matter. Where no word has it with its `hey` or `okay`, the one
    /// without is meant: other engines have `hey_jarvis` alone.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let key = normalised(name);
        // A word may end with a number itself, so that what looks like a date is tried as a part of it first.
        self.find_greeted(&key).or_else(|| self.find_greeted(without_date(&key)?))
    }

    fn find_greeted(&self, key: &str) -> Option<usize> {
        self.find_exactly(key).or_else(|| {
            let bare = GREETINGS.iter().find_map(|greeting| key.strip_prefix(greeting))?;
            self.find_exactly(bare)
        })
    }

    fn find_exactly(&self, key: &str) -> Option<usize> {
        let alias = self.aliases.get(key).copied();
        alias.or_else(|| self.words.iter().position(|word| word == key))
    }
}

/// `name` in the one form in which names are compared.
fn normalised(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let stem = [".tflite", ".onnx"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    let spaced = stem.to_lowercase().replace(['_', '-'], " ");
    let words = spaced.split_whitespace().map(|word| if word == "okay" { "ok" } else { word });
    let spaced = words.collect::<Vec<_>>().join(" ");
    match spaced.rsplit_once(" v") {
        Some((rest, version)) if is_version(version) => rest.to_owned(),
        _ => spaced,
    }
}

/// `key` without a number at its end: microWakeWord's models are named `okay_nabu_20241226.3`.
fn without_date(key: &str) -> Option<&str> {
    key.rsplit_once(' ').filter(|(_, date)| is_version(date)).map(|(rest, _)| rest)
}

fn is_version(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_goes_by_many_names() {
        let aliases = BTreeMap::from([("Computer_v7".to_owned(), "alexa".to_owned())]);
        let words = Names::new(&[Model::embedded().unwrap()], &aliases).unwrap();
        for name in [
            "alexa",
            "Alexa",
            "ALEXA_v0.1",
            "alexa-v2",
            "alexa v1.0.3",
            "/models/alexa_v0.1.tflite",
            "alexa.onnx",
            "computer",
            "computer_v7.tflite",
        ] {
            assert_eq!(words.find(name), Some(0), "{name}");
        }
        for name in
            ["alex", "", "alexa_vx", "alexa v", "hi alexa", "heyalexa", "v1", "alexa1", "hey"]
        {
            assert_eq!(words.find(name), None, "{name}");
        }
    }

    #[test]
    fn a_greeting_counts_only_where_a_word_has_it() {
        let model = || Model::embedded().unwrap();
        let words = |wake_words: &[&str]| {
            let named: Vec<_> = wake_words.iter().map(|name| model().named(name)).collect();
            Names::new(&named, &BTreeMap::new()).unwrap()
        };
        let one = words(&["jarvis"]);
        for name in ["jarvis", "hey_jarvis", "hey jarvis", "hey_jarvis_v0.1", "Okay Jarvis"] {
            assert_eq!(one.find(name), Some(0), "{name}");
        }
        let both = words(&["jarvis", "hey jarvis", "okay nabu"]);
        assert_eq!((both.find("jarvis"), both.find("hey_jarvis_v0.1")), (Some(0), Some(1)));
        for name in [
            "okay_nabu",
            "ok_nabu_v0.1",
            "OK Nabu",
            "okay nabu",
            "okay_nabu_20241226.3",
            "/models/ok_nabu_20241226.tflite",
        ] {
            assert_eq!(both.find(name), Some(2), "{name}");
        }
        for name in ["nabu", "hey_nabu", "hey nabu_20241226", "okay_nabu_casa"] {
            assert_eq!(both.find(name), None, "{name} is not what is served");
        }
        let numbered = words(&["area 51", "area 52"]);
        assert_eq!((numbered.find("area_52"), numbered.find("area")), (Some(1), None));
    }

    #[test]
    fn no_word_one_word_twice_and_an_alias_for_none_are_refused() {
        let model = || Model::embedded().unwrap();
        let none = BTreeMap::new();
        for (models, aliases, message) in [
            (vec![], none.clone(), "there is no wake word to serve"),
            (vec![model(), model()], none, "two models have one wake word"),
            (
                vec![model()],
                BTreeMap::from([("x".to_owned(), "y".to_owned())]),
                "wyoming.upstream_names.x is refused: expected one of alexa, found \"y\"",
            ),
        ] {
            let error = Names::new(&models, &aliases).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Settings);
            assert!(error.to_string().starts_with(message), "{error}");
        }
    }
}
