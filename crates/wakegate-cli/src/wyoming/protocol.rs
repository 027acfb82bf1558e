//! Framed events: one line of JSON, then a block of JSON, then a block of bytes.
//!
//! ```text
//! {"type": "audio-chunk", "version": "1.10.2", "data_length": 59, "payload_length": 2048}\n
//! {"rate": 16000, "width": 2, "channels": 1, "timestamp": 64}   <- data_length bytes
//! ....                                                          <- payload_length bytes
//! ```
//!
//! Data may also stand in the line, as `"data": {...}`; where both are there, the block wins key
//! by key. The writer always uses the block, as the protocol's own writer does.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::{Map, Value};

use wakegate::{Error, ErrorKind, Result};

/// Version of the protocol whose events this module speaks, as it stands in every header.
pub const PROTOCOL_VERSION: &str = "1.10.2";

/// Longest name that a message shows of a peer.
const MOST_NAME_BYTES: usize = 64;

/// One event of the protocol.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// Its type, such as `audio-chunk`.
    pub kind: String,
    /// Its data; empty where there is none.
    pub data: Map<String, Value>,
    /// Bytes behind it, PCM for an `audio-chunk`; empty where there are none.
    pub payload: Vec<u8>,
}

impl Event {
    /// An event without data.
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), ..Self::default() }
    }

    /// The same event with `value` as the data's `key`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.data.insert(key.to_owned(), value.into());
        self
    }

    /// The same event with these bytes behind it.
    #[must_use]
    pub fn with_payload(mut self, payload: Vec<u8>) -> Self {
        self.payload = payload;
        self
    }

    /// The data's `key`; `None` where it is missing or null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.data.get(key).filter(|value| !value.is_null())
    }

    /// The data's `key` as text; `None` where it is missing or something else.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// The event as bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        let data =
            if self.data.is_empty() { Vec::new() } else { json(&Value::Object(self.data.clone())) };
        let mut line = format!(
            "{{\"type\": {}, \"version\": \"{PROTOCOL_VERSION}\"",
            Value::from(self.kind.as_str())
        );
        for (key, length) in [("data_length", data.len()), ("payload_length", self.payload.len())] {
            if length > 0 {
                line.push_str(&format!(", \"{key}\": {length}"));
            }
        }
        line.push_str("}\n");
        [line.as_bytes(), &data, &self.payload].concat()
    }
}

/// JSON text of `value`. A `Value` has string keys and finite numbers, so this can't fail.
fn json(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// The most that one event may take, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the line, its end included.
    pub line: usize,
    /// Of the data block.
    pub data: usize,
    /// Of the payload.
    pub payload: usize,
}

/// Turns bytes, in pieces of any size, into events.
///
/// Never holds more than the limits' sum. After an error it stays at that error: where a frame
/// is broken, nobody knows where the next one begins.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    part: Part,
    failed: Option<Error>,
}

/// What of an event is being gathered.
#[derive(Debug)]
enum Part {
    Line(Vec<u8>),
    Data { event: Event, length: usize, payload: usize, bytes: Vec<u8> },
    Payload { event: Event, length: usize },
}

/// The line, as far as it matters.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<u64>,
    #[serde(default)]
    payload_length: Option<u64>,
}

impl Decoder {
    /// A decoder at the start of a stream.
    pub fn new(limits: Limits) -> Self {
        Self { limits, part: Part::Line(Vec::new()), failed: None }
    }

    /// Takes bytes from the front of `bytes` until an event is complete; `None` when they are
    /// used up before that.
    ///
    /// # Errors
    /// [`ErrorKind::Protocol`] for a line or block that is not JSON of the expected form, and
    /// [`ErrorKind::Limit`] for one over the limits, before it is read.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.advance(bytes);
        if let Err(error) = &result {
            self.failed = Some(error.clone());
            self.part = Part::Line(Vec::new());
        }
        result
    }

    /// Whether an event has begun and is not complete.
    pub fn in_event(&self) -> bool {
        !matches!(&self.part, Part::Line(line) if line.is_empty())
    }

    /// Bytes that are set aside for the event that is being gathered.
    pub fn capacity(&self) -> usize {
        match &self.part {
            Part::Line(line) => line.capacity(),
            Part::Data { bytes, .. } => bytes.capacity(),
            Part::Payload { event, .. } => event.payload.capacity(),
        }
    }

    fn advance(&mut self, bytes: &mut &[u8]) -> Result<Option<Event>> {
        loop {
            match &mut self.part {
                Part::Line(line) => {
                    if bytes.is_empty() {
                        return Ok(None);
                    }
                    if gather_line(line, bytes, self.limits.line)? {
                        self.part = begin(line, self.limits)?;
                    }
                }
                Part::Data { event, length, payload, bytes: block } => {
                    if !gather(block, bytes, *length) {
                        return Ok(None);
                    }
                    event.data.extend(parse::<Map<String, Value>>(block, "an event's data")?);
                    let event = std::mem::take(event);
                    self.part = Part::Payload { event, length: *payload };
                }
                Part::Payload { event, length } => {
                    if !gather(&mut event.payload, bytes, *length) {
                        return Ok(None);
                    }
                    let event = std::mem::take(event);
                    self.part = Part::Line(Vec::new());
                    return Ok(Some(event));
                }
            }
        }
    }
}

/// Moves bytes up to the line's end to `line`; `true` when that was there.
fn gather_line(line: &mut Vec<u8>, bytes: &mut &[u8], limit: usize) -> Result<bool> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    let taken = end.map_or(bytes.len(), |end| end + 1);
    if line.len() + taken > limit {
        return Err(over("line", limit, None));
    }
    let (head, rest) = bytes.split_at(taken);
    if line.capacity() - line.len() < head.len() {
        // Doubling, but never past the limit.
        let wanted = (2 * line.capacity()).clamp(line.len() + head.len(), limit);
        line.reserve_exact(wanted - line.len());
    }
    line.extend_from_slice(head);
    *bytes = rest;
    Ok(end.is_some())
}

/// Moves bytes to `block` until it has `length`; `true` when it has.
fn gather(block: &mut Vec<u8>, bytes: &mut &[u8], length: usize) -> bool {
    let taken = (length - block.len()).min(bytes.len());
    if block.is_empty() && taken > 0 {
        block.reserve_exact(length);
    }
    let (head, rest) = bytes.split_at(taken);
    block.extend_from_slice(head);
    *bytes = rest;
    block.len() == length
}

/// What comes after `line`.
fn begin(line: &[u8], limits: Limits) -> Result<Part> {
    let header: Header = parse(line, "an event's line")?;
    let within = |name, length: Option<u64>, limit: usize| {
        let length = length.unwrap_or(0);
        usize::try_from(length)
            .ok()
            .filter(|&length| length <= limit)
            .ok_or_else(|| over(name, limit, Some(length)))
    };
    let length = within("data block", header.data_length, limits.data)?;
    let payload = within("payload", header.payload_length, limits.payload)?;
    let event =
        Event { kind: header.kind, data: header.data.unwrap_or_default(), payload: Vec::new() };
    Ok(if length > 0 {
        Part::Data { event, length, payload, bytes: Vec::new() }
    } else {
        Part::Payload { event, length: payload }
    })
}

fn parse<'b, T: Deserialize<'b>>(bytes: &'b [u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // Never the bytes themselves, nor what the parser says, which quotes them: behind a wrong
        // length they are audio.
        let first = bytes.first().map_or("nothing", |&byte| kind_of(byte));
        let why = match error.classify() {
            Category::Data => "JSON of another form",
            _ => "no JSON",
        };
        Error::new(ErrorKind::Protocol, format!("cannot read {what}"))
            .expected("a JSON object in the Wyoming protocol's form")
            .found(format!(
                "{} bytes that begin with {first}, {why} at byte {}",
                bytes.len(),
                error.column()
            ))
            .hint("check that the peer speaks Wyoming, and that its lengths are right")
    })
}

/// What a peer put where something else was expected, without its words.
pub(super) fn found_of(value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::Bool(value)) => value.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => format!("a text of {} bytes", text.len()),
        Some(Value::Array(list)) => format!("a list of {}", list.len()),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}

/// A name that a peer gave, where it looks like one; else how long it is.
pub(super) fn name_or_length(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || " _-.".contains(c);
    if name.len() <= MOST_NAME_BYTES && name.chars().all(plain) {
        return format!("{name:?}");
    }
    format!("a name of {} bytes", name.len())
}

/// What kind of byte it is, for a message that must not quote it.
fn kind_of(byte: u8) -> &'static str {
    match byte {
        b'{' => "an opening brace",
        b'0'..=b'9' => "a digit",
        b'a'..=b'z' | b'A'..=b'Z' => "a letter",
        0x21..=0x7e => "a punctuation mark",
        0x80.. => "a byte beyond ASCII",
        _ => "a control character or a space",
    }
}

fn over(part: &str, limit: usize, found: Option<u64>) -> Error {
    Error::new(ErrorKind::Limit, format!("an event's {part} is too long"))
        .expected(format!("at most {limit} bytes"))
        .found(found.map_or("more".to_owned(), |length| format!("{length} bytes")))
        .hint("send shorter events, or raise the limit in the settings of wyoming")
}
