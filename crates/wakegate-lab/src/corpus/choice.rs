//! Which channel of a recording is heard.

use std::fmt;
use std::str::FromStr;

use wakegate::audio::Channel;
use wakegate::{Error, ErrorKind, Result};

/// A channel, or each of them by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One, or the mean of all.
    Channel(Channel),
    /// Each by itself: the recording is judged by the one with the best activation.
    Each,
}

impl Default for Choice {
    /// The mean of all.
    fn default() -> Self {
        Self::Channel(Channel::Mix)
    }
}

impl FromStr for Choice {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "mix" => Ok(Self::Channel(Channel::Mix)),
            "left" => Ok(Self::Channel(Channel::One(1))),
            "right" => Ok(Self::Channel(Channel::One(2))),
            "each" => Ok(Self::Each),
            number => match number.parse() {
                Ok(number @ 1..=255) => Ok(Self::Channel(Channel::One(number))),
                _ => Err(Error::new(ErrorKind::Settings, "the channel is refused")
                    .expected("a number from 1, left, right, mix or each")
                    .found(format!("{name:?}"))),
            },
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(Channel::Mix) => f.write_str("mix"),
            Self::Channel(Channel::One(number)) => write!(f, "{number}"),
            Self::Each => f.write_str("each"),
        }
    }
}
