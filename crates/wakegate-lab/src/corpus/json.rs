//! JSON objects, one a line or in an array.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer as _, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::table::{Object, UniqueKeys, Utf8};

/// An object with its number from 1, or what is wrong with it.
pub(super) type Take<'t> = dyn FnMut(u64, Result<Map<String, Value>, String>) -> bool + 't;

/// Hands the objects that `reader` gives to `take` in their order, until it returns `false`, which
/// is then returned: one a line with the number of its line, or those of an array with their own.
pub(super) fn visit(reader: impl Read, take: &mut Take<'_>) -> io::Result<bool> {
    let mut reader = BufReader::new(Utf8::new(reader));
    let is_array = loop {
        let head = reader.fill_buf()?;
        let Some(place) = head.iter().position(|byte| !byte.is_ascii_whitespace()) else {
            let count = head.len();
            if count == 0 {
                return Ok(true);
            }
            reader.consume(count);
            continue;
        };
        break head[place] == b'[';
    };
    if is_array { array(reader, take) } else { lines(reader, take) }
}

fn lines(mut reader: impl BufRead, take: &mut Take<'_>) -> io::Result<bool> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let object = serde_json::from_slice::<Object>(&line);
        if !take(number, object.map(|it| it.0).map_err(|error| error.to_string())) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn array(reader: impl Read, take: &mut Take<'_>) -> io::Result<bool> {
    let mut objects = Objects { take, number: 0, wanted: true };
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let result = (&mut deserializer).deserialize_seq(&mut objects);
    let result = result.and_then(|()| deserializer.end());
    if !objects.wanted {
        return Ok(false);
    }
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.is_io() => Err(error.into()),
        Err(error) => Ok((objects.take)(objects.number + 1, Err(error.to_string()))),
    }
}

/// Takes the elements of an array one by one.
struct Objects<'o, 't> {
    take: &'o mut Take<'t>,
    number: u64,
    wanted: bool,
}

impl<'de> Visitor<'de> for &mut Objects<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(&mut *self)?.is_some() {
            if !self.wanted {
                // The rest is left unread, of which the deserializer makes an error.
                break;
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Objects<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        let UniqueKeys(element) = serde::Deserialize::deserialize(from)?;
        self.number += 1;
        let object = match element {
            Value::Object(object) => Ok(object),
            other => Err(format!("another JSON value: {other}")),
        };
        self.wanted = (self.take)(self.number, object);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(text: &str, most: u64) -> (Vec<String>, bool) {
        let mut seen = Vec::new();
        let all = visit(text.as_bytes(), &mut |number, object| {
            seen.push(match object {
                Ok(object) => format!("{number} {}", Value::Object(object)),
                Err(_) => format!("{number} wrong"),
            });
            number < most
        });
        (seen, all.unwrap())
    }

    #[test]
    fn lines_and_arrays_give_their_objects() {
        let lines = "\u{feff}{\"path\":\"a\"}\n\n[1]\n{\"path\":\"b\"}";
        assert_eq!(objects(lines, 9).0, ["1 {\"path\":\"a\"}", "3 wrong", "4 {\"path\":\"b\"}"]);
        let array = "\n [\n {\"path\":\"a\"},\n 7,\n {\"path\":\"b\"}]\n";
        assert_eq!(objects(array, 9).0, ["1 {\"path\":\"a\"}", "2 wrong", "3 {\"path\":\"b\"}"]);
        assert_eq!(objects(array, 1), (vec!["1 {\"path\":\"a\"}".to_owned()], false));
        let cut = "[{\"path\":\"a\"}, {\"pa";
        assert_eq!(objects(cut, 9).0, ["1 {\"path\":\"a\"}", "2 wrong"]);
        assert_eq!(objects(" \n", 9), (vec![], true));
    }
}
