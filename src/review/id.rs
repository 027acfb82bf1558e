//! Names of clips and of the people who review them: checked once, valid ever after.

use std::fmt;
use std::str::FromStr;

use crate::{Error, ErrorKind, Result};

/// Longest name of a reviewer, in characters.
const MOST_NAME: usize = 64;

/// The name of a clip: 32 lower-case hexadecimal digits, drawn at random. It says nothing
/// about the clip, and is no path.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClipId(String);

impl ClipId {
    pub(super) fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        super::crypto::random(&mut bytes)?;
        Ok(Self(super::crypto::hex(&bytes)))
    }

    /// The 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClipId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ClipId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::new(ErrorKind::Review, "this is no clip")
            .expected("32 lower-case hexadecimal digits")
            .found(format!("{:?}", text.chars().take(40).collect::<String>()))
            .hint("`wakegate review list` shows the clips"))
    }
}

/// Who reviews, consents or asks, as the audit log shows it: a name or role of 1 to 64
/// printable characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Person(String);

impl Person {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Person {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim();
        let length = name.chars().count();
        if (1..=MOST_NAME).contains(&length) && !name.chars().any(char::is_control) {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::new(ErrorKind::Review, "this name is refused")
            .expected(format!("1 to {MOST_NAME} printable characters"))
            .found(format!("{:?}", text.chars().take(40).collect::<String>())))
    }
}

/// What a reviewer says about a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Label {
    /// The wake word was said to the device.
    Intended,
    /// It was not: a leak. The clip is deleted at once and counted as an incident.
    Accidental,
    /// It can't be told.
    Unclear,
}

impl Label {
    /// The word that reports and the database use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Accidental => "accidental",
            Self::Unclear => "unclear",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Label {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Intended, Self::Accidental, Self::Unclear]
            .into_iter()
            .find(|label| label.as_str() == text)
            .ok_or_else(|| {
                Error::new(ErrorKind::Review, "this label is refused")
                    .expected("intended, accidental or unclear")
                    .found(format!("{:?}", text.chars().take(40).collect::<String>()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_path() {
        let id = ClipId::random().unwrap();
        assert_eq!(id.as_str().parse::<ClipId>().unwrap(), id);
        for bad in [
            "",
            "../../etc/passwd",
            "0123456789abcdef0123456789abcde/",
            "0123456789ABCDEF0123456789ABCDEF",
            "0123456789abcdef0123456789abcdef0",
            "0123456789abcdef0123456789abcde\0",
            "' OR 1=1 --",
        ] {
            assert!(bad.parse::<ClipId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_fits_a_line_of_the_log() {
        assert_eq!(" Ann Lee ".parse::<Person>().unwrap().as_str(), "Ann Lee");
        for bad in ["", "  ", "a\nb", "a\u{0}b", &"x".repeat(65)] {
            assert!(bad.parse::<Person>().is_err(), "{bad:?}");
        }
    }
}
