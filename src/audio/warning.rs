//! What was odd about some audio but did not stop it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Something odd that a program can tell by its code and a person by its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// One word for the kind, in `snake_case`; it stays the same between versions.
    pub code: Cow<'static, str>,
    /// What happened and where, without a full stop.
    pub text: String,
}

impl Warning {
    /// A warning of the kind `code`.
    pub fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), text: text.into() }
    }
}

impl fmt::Display for Warning {
    /// `code: text`, as tables hold it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}
