//! What the reader of CSV does not tell of its text: which character lies between the fields, and
//! whether a quote was never closed, or by one that begins another field, so that rows became part
//! of one.

use std::io::{self, BufRead, BufReader, Read};

use super::text::Utf8;

/// Text of a table whose quotes are followed.
pub struct CsvText<R> {
    reader: BufReader<Utf8<R>>,
    delimiter: u8,
    quoting: bool,
    state: State,
    line: u64,
    /// The line on which the open quote began.
    opened: u64,
    /// The line on which the first quote began that closes in the middle of a later line's text.
    misplaced: Option<u64>,
    last: u8,
    ended: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// Behind a quote inside a quoted field: it closes it, or is half of two.
    Quote,
}

impl<R: Read> CsvText<R> {
    /// The text that `reader` gives, with `delimiter` between the fields, or semicolons or tabs
    /// where its first line has them and no `delimiter`. `quoting` says whether quotes mean
    /// anything.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn new(reader: R, delimiter: u8, quoting: bool) -> io::Result<Self> {
        let mut reader = BufReader::with_capacity(1 << 16, Utf8::new(reader));
        let head = reader.fill_buf()?;
        let line = head.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
        let other = [b';', b'\t'].into_iter().find(|other| line.contains(other));
        let delimiter = match other {
            Some(other) if !line.contains(&delimiter) => other,
            _ => delimiter,
        };
        Ok(Self {
            reader,
            delimiter,
            quoting,
            state: State::Start,
            line: 1,
            opened: 0,
            misplaced: None,
            last: b'\n',
            ended: false,
        })
    }

    /// The character between the fields.
    pub fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Whether the text so far ends with the end of a line.
    pub fn ends_a_line(&self) -> bool {
        self.last == b'\n'
    }

    /// At the end of the text: the line on which a quote begins that is never closed.
    pub fn open_quote(&self) -> Option<u64> {
        (self.ended && self.state == State::Quoted).then_some(self.opened)
    }

    /// The line on which a quote begins, before `line`, whose end on a later line is followed by
    /// text: that is the beginning of another, and what lies between are rows.
    pub fn misplaced_quote(&self, line: u64) -> Option<u64> {
        self.misplaced.filter(|opened| *opened < line)
    }

    fn follow(&mut self, byte: u8) {
        let ends = byte == self.delimiter || matches!(byte, b'\n' | b'\r');
        if self.state == State::Quote && !ends && byte != b'"' && self.line > self.opened {
            self.misplaced.get_or_insert(self.opened);
        }
        self.state = match (self.state, byte) {
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) => State::Quoted,
            (State::Quote, b'"') => State::Quoted,
            (State::Start, b'"') if self.quoting => {
                self.opened = self.line;
                State::Quoted
            }
            _ if ends => State::Start,
            _ => State::Plain,
        };
        self.line += u64::from(byte == b'\n');
    }
}

/// The line on which a quote begins that made rows a part of what `reader` has read, and what it
/// is.
pub fn broken_quote<R: Read>(reader: &csv::Reader<CsvText<R>>) -> Option<(u64, &'static str)> {
    let text = reader.get_ref();
    let open = text.open_quote().map(|line| (line, "a quote that is never closed"));
    let misplaced = || text.misplaced_quote(reader.position().line());
    open.or_else(|| misplaced().map(|line| (line, "a quote that the next one closes, rows later")))
}

impl<R: Read> Read for CsvText<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(out)?;
        self.ended |= count == 0 && !out.is_empty();
        out[..count].iter().for_each(|byte| self.follow(*byte));
        self.last = out[..count].last().copied().unwrap_or(self.last);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_quote(text: &str) -> Option<u64> {
        let mut source = CsvText::new(text.as_bytes(), b',', true).unwrap();
        io::copy(&mut source, &mut io::sink()).unwrap();
        source.open_quote()
    }

    #[test]
    fn a_quote_that_is_never_closed_is_told_by_its_line() {
        assert_eq!(open_quote("path,id\n\"a.wav,x\nb.wav,y\n"), Some(2));
        assert_eq!(open_quote("a,\"b\"\n\"c\"\"d\",\"e\nf\"\n"), None);
        assert_eq!(open_quote("a,5\" disk\n"), None, "a quote inside a field is one");
        assert_eq!(open_quote("a,\"b\"\"\n"), Some(1));
        assert_eq!(open_quote(""), None);
    }

    #[test]
    fn a_quote_that_the_next_one_closes_is_told_by_its_line() {
        let misplaced = |text: &str| {
            let mut source = CsvText::new(text.as_bytes(), b',', true).unwrap();
            io::copy(&mut source, &mut io::sink()).unwrap();
            (source.misplaced_quote(2), source.misplaced_quote(9))
        };
        assert_eq!(misplaced("a,b\n1,\"Stop\n2,\"Go\" on\n"), (None, Some(2)));
        assert_eq!(misplaced("a,b\n1,\"Stop\nit\"\n2,\"Go\non\"\r\n"), (None, None));
        assert_eq!(misplaced("a,b\n1,\"he said \"\"Stop\nit\"\"\",2\n"), (None, None));
        assert_eq!(misplaced("a,b\n1,\"Go\" on\n"), (None, None), "it swallows no row");
    }

    #[test]
    fn the_first_line_tells_the_delimiter() {
        let delimiter = |text: &str| CsvText::new(text.as_bytes(), b',', true).unwrap().delimiter();
        assert_eq!(delimiter("path;id\n"), b';');
        assert_eq!(delimiter("path\tid\n"), b'\t');
        assert_eq!(delimiter("path,id;x\n"), b',');
        assert_eq!(delimiter("path\na;b\n"), b',');
    }
}
