//! Text as UTF-8, whatever a spreadsheet or an editor made of it.

use std::io::{self, Read};

/// Bytes read at a time.
const BLOCK: usize = 1 << 13;

/// Text in UTF-8 without the mark that says so, out of UTF-8 or of UTF-16 with its mark.
pub struct Utf8<R> {
    reader: R,
    form: Option<TextFormat>,
    /// Bytes that are read and not yet given, from `from` on.
    ready: Vec<u8>,
    from: usize,
    /// Of UTF-16, bytes of a character that is not whole.
    rest: Vec<u8>,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TextFormat {
    Utf8,
    Utf16Le,
    Utf16Be,
}

/// The form of text that begins with `head`, and the bytes of the mark that says so.
fn form(head: &[u8]) -> (TextFormat, usize) {
    if head.starts_with(b"\xef\xbb\xbf") {
        (TextFormat::Utf8, 3)
    } else if head.starts_with(b"\xff\xfe") {
        (TextFormat::Utf16Le, 2)
    } else if head.starts_with(b"\xfe\xff") {
        (TextFormat::Utf16Be, 2)
    } else {
        (TextFormat::Utf8, 0)
    }
}

impl<R: Read> Utf8<R> {
    /// The text that `reader` gives.
    pub fn new(reader: R) -> Self {
        Self { reader, form: None, ready: Vec::new(), from: 0, rest: Vec::new(), ended: false }
    }

    /// Reads more; nothing is ready then at the end alone.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.from = 0;
        while self.ready.is_empty() && !self.ended {
            let mut block = [0; BLOCK];
            let count = match self.reader.read(&mut block) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            self.ended = count == 0;
            self.rest.extend_from_slice(&block[..count]);
            if self.form.is_none() && self.rest.len() < 3 && !self.ended {
                continue;
            }
            let form = *self.form.get_or_insert_with(|| {
                let (form, mark) = form(&self.rest);
                self.rest.drain(..mark);
                form
            });
            match form {
                TextFormat::Utf8 => std::mem::swap(&mut self.ready, &mut self.rest),
                wide => self.narrow(wide),
            }
        }
        Ok(())
    }

    /// Turns the whole characters of UTF-16 into UTF-8.
    fn narrow(&mut self, form: TextFormat) {
        let (pairs, odd) = self.rest.as_chunks::<2>();
        let mut units: Vec<u16> = pairs
            .iter()
            .map(|pair| match form {
                TextFormat::Utf16Be => u16::from_be_bytes(*pair),
                _ => u16::from_le_bytes(*pair),
            })
            .collect();
        let mut rest = odd.to_vec();
        // The first half of a character waits for its second.
        if !self.ended && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
            rest = self.rest[self.rest.len() - 2 - odd.len()..].to_vec();
        }
        let text: String = char::decode_utf16(units)
            .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.ready.extend_from_slice(text.as_bytes());
        self.rest = rest;
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.from == self.ready.len() {
            self.fill()?;
        }
        let ready = &self.ready[self.from..];
        let count = ready.len().min(out.len());
        out[..count].copy_from_slice(&ready[..count]);
        self.from += count;
        Ok(count)
    }
}

/// `bytes` as UTF-8 without a mark.
///
/// # Errors
/// None for bytes in memory, but for what reading gives.
pub fn to_utf8(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut text = Vec::with_capacity(bytes.len());
    Utf8::new(bytes).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_gives_the_same_text_in_pieces_of_any_size() {
        let text = "path;ort\nä.wav;Küche 🎤\n".repeat(2_000);
        let units: Vec<u16> = text.encode_utf16().collect();
        let le: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let be: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let forms = [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe".as_slice(), &le].concat(),
            [b"\xfe\xff".as_slice(), &be].concat(),
        ];
        for bytes in forms {
            assert_eq!(to_utf8(&bytes).unwrap(), text.as_bytes());
            let mut slow = Vec::new();
            Utf8::new(Slow(&bytes)).read_to_end(&mut slow).unwrap();
            assert_eq!(slow, text.as_bytes());
        }
        assert_eq!(to_utf8(b"").unwrap(), b"");
        assert_eq!(to_utf8(b"\xff\xfea").unwrap(), b"");
        assert_eq!(to_utf8(b"\xef\xbb").unwrap(), b"\xef\xbb");
    }

    /// Gives one byte at a time.
    struct Slow<'b>(&'b [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = out.len().min(1);
            self.0.read(&mut out[..count])
        }
    }
}
