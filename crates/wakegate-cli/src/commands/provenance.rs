//! Where labels come from: a bound that they certify holds for what they are a sample of.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Unit, ZonedDateTime};
use wakegate::review::LabelledScore;

/// Days after which labels say nothing certain any more about what is heard now.
const FRESH_DAYS: i32 = 90;

/// What a labelled row says of its own origin; what it does not say is not held against it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    pub p_intended: f32,
    pub label: String,
    pub model: Option<String>,
    pub day: Option<String>,
}

impl Origin {
    /// What tells a score of a queue apart; none for a row that is not one of an export.
    fn key(&self) -> Option<(String, String, String, u32)> {
        let (model, day) = (self.model.clone()?, self.day.clone()?);
        Some((day, self.label.clone(), model, self.p_intended.to_bits()))
    }
}

/// Why the rows may be no sample of what the threshold will meet, one line each.
pub fn doubts(rows: &[Origin], models: &[String], own: Option<&[LabelledScore]>) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut named = rows.iter().filter_map(|row| row.model.as_ref());
    if let Some(other) = named.find(|&model| !models.contains(model)) {
        let here = models.join(", ");
        doubts.push(format!("the labels are of the model {other:?}; here {here} judges"));
    }
    if let Some(own) = own {
        let foreign = not_among(rows, own);
        if foreign > 0 {
            doubts.push(format!("{foreign} of {} labels are not of this queue", rows.len()));
        }
    }
    let today = ZonedDateTime::now().date();
    let age = |day: Date| day.until((Unit::Day, today)).ok().map(|span| span.get_days());
    let exported = rows.iter().filter(|row| row.key().is_some());
    let days = exported.filter_map(|row| row.day.as_deref()?.parse::<Date>().ok());
    if let Some(days) = days.max().and_then(age).filter(|&days| days > FRESH_DAYS) {
        doubts.push(format!("the newest label is {days} days old, of {FRESH_DAYS} that are fresh"));
    }
    doubts
}

/// How many of the rows that look like a queue's are not among its own.
fn not_among(rows: &[Origin], own: &[LabelledScore]) -> usize {
    let mut left: HashMap<_, usize> = HashMap::new();
    for score in own {
        let key = (
            score.day.clone(),
            score.label.clone(),
            score.model.clone(),
            score.p_intended.to_bits(),
        );
        *left.entry(key).or_default() += 1;
    }
    let mut foreign = 0;
    for key in rows.iter().filter_map(Origin::key) {
        match left.get_mut(&key).filter(|count| **count > 0) {
            Some(count) => *count -= 1,
            None => foreign += 1,
        }
    }
    foreign
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(model: Option<&str>, day: Option<&str>) -> Origin {
        let text = |text: Option<&str>| text.map(str::to_owned);
        Origin { p_intended: 0.9, label: "intended".to_owned(), model: text(model), day: text(day) }
    }

    fn score() -> LabelledScore {
        LabelledScore {
            day: ZonedDateTime::now().date().to_string(),
            label: "intended".to_owned(),
            wake_word: "alexa".to_owned(),
            model: "alexa-2".to_owned(),
            p_intended: 0.9,
            p_not_wake_word: 0.05,
            p_not_addressed: 0.05,
            p_wake_word: 0.9,
            p_addressed: 0.9,
            spotter_peak: None,
        }
    }

    #[test]
    fn rows_of_another_model_queue_or_time_are_doubted() {
        let today = ZonedDateTime::now().date().to_string();
        let own = [score()];
        let fine = [row(Some("alexa-2"), Some(&today))];
        let here = ["alexa-2".to_owned(), "computer-1".to_owned()];
        assert_eq!(doubts(&fine, &here, Some(&own)), Vec::<String>::new());
        assert_eq!(doubts(&fine, &here[1..], None).len(), 1, "another model");
        assert_eq!(doubts(&fine, &here, Some(&[])).len(), 1, "another queue");
        let twice = [fine[0].clone(), fine[0].clone()];
        assert!(doubts(&twice, &here, Some(&own))[0].starts_with("1 of 2"), "each once");
        let old = [row(Some("alexa-2"), Some("2020-01-01"))];
        assert!(doubts(&old, &here, None)[0].contains("days old"));
    }

    #[test]
    fn what_a_row_does_not_say_is_not_held_against_it() {
        let rows = [row(None, Some("2020-01-01")), row(Some("alexa-2"), None)];
        assert_eq!(doubts(&rows, &["alexa-2".to_owned()], Some(&[])), Vec::<String>::new());
    }
}
