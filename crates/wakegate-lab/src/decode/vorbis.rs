//! The codebooks that a Vorbis stream asks its decoder to lay out.
//!
//! A header of some hundred bytes can ask for 256 books of 131,072 entries, which take a kilobyte
//! each while they are made: gigabytes, before the first sample. The entries are counted first.

/// Entries of all books together, at most: nearly three times what the largest of libvorbis has.
const MOST_ENTRIES: u64 = 1 << 15;
/// What the setup header begins with, and each of its books.
const SETUP: &[u8] = b"\x05vorbis";
const BOOK: u32 = 0x56_4342;

/// Refuses the headers `extra` of a stream where they ask for more than any encoder does.
pub(super) fn check_books(extra: &[u8]) -> Result<(), String> {
    let setups = extra.windows(SETUP.len()).enumerate().filter(|(_, window)| *window == SETUP);
    for (at, _) in setups {
        let mut bits = Bits { bytes: &extra[at + SETUP.len()..], at: 0 };
        let mut entries = 0;
        let count = bits.read(8).map_or(0, |last| last + 1);
        for _ in 0..count {
            // What is no book is the decoder's to refuse.
            let Some(more) = bits.book(&mut entries) else { break };
            if entries > MOST_ENTRIES {
                return Err(format!("Vorbis whose codebooks have {entries} entries and more"));
            }
            if !more {
                break;
            }
        }
    }
    Ok(())
}

/// Bits of a packet, the lowest of each byte first.
struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }

    fn skip(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(usize::try_from(count).ok()?)?;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    /// Reads over a book, whose entries are added to `all`; whether another may follow, none where
    /// the packet ends in it.
    fn book(&mut self, all: &mut u64) -> Option<bool> {
        if self.read(24)? != BOOK {
            return Some(false);
        }
        let (dimensions, entries) = (self.read(16)?, self.read(24)?);
        *all += u64::from(entries);
        if *all > MOST_ENTRIES {
            return Some(false);
        }
        if self.read(1)? == 1 {
            self.read(5)?;
            let mut named = 0;
            while named < entries {
                named += self.read(32 - (entries - named).leading_zeros())?;
            }
        } else if self.read(1)? == 1 {
            for _ in 0..entries {
                if self.read(1)? == 1 {
                    self.read(5)?;
                }
            }
        } else {
            self.skip(5 * u64::from(entries))?;
        }
        let values = match self.read(4)? {
            0 => return Some(true),
            1 => u64::from(roots(entries, dimensions)),
            2 => u64::from(entries) * u64::from(dimensions),
            _ => return Some(false),
        };
        self.skip(64)?;
        let width = u64::from(self.read(4)? + 1);
        self.skip(1 + values.saturating_mul(width))?;
        Some(true)
    }
}

/// The largest number whose power of `dimensions` is no more than `entries`, as the decoder works
/// it out: the two have to read the same bits.
fn roots(entries: u32, dimensions: u32) -> u32 {
    (entries as f32).powf(1.0 / dimensions.max(1) as f32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts numbers into bits, each with its width, behind the beginning of a setup header.
    fn setup(fields: &[(u32, u32)]) -> Vec<u8> {
        let bits: Vec<u8> = fields
            .iter()
            .flat_map(|(value, width)| (0..*width).map(move |place| (value >> place & 1) as u8))
            .collect();
        let bytes =
            bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit));
        SETUP.iter().copied().chain(bytes).collect()
    }

    /// A book of `entries` that are all of one length, with the values of a lookup of kind 1.
    fn book(dimensions: u32, entries: u32, values: u32) -> Vec<(u32, u32)> {
        let width = 32 - entries.leading_zeros();
        let mut fields = vec![(BOOK, 24), (dimensions, 16), (entries, 24), (1, 1)];
        fields.extend([(width - 2, 5), (entries, width), (1, 4), (0, 32), (0, 32), (0, 4), (0, 1)]);
        fields.extend((0..values).map(|_| (0, 1)));
        fields
    }

    #[test]
    fn the_entries_of_all_books_are_counted() {
        let books = |count: u32, entries: u32, values: u32| {
            let mut fields = vec![(count - 1, 8)];
            (0..count).for_each(|_| fields.extend(book(4, entries, values)));
            check_books(&setup(&fields))
        };
        assert_eq!(books(4, 4_096, 8), Ok(()));
        assert_eq!(books(8, 4_096, 8), Ok(()));
        assert!(books(9, 4_096, 8).unwrap_err().contains("36864 entries"));
        assert!(books(1, 1 << 17, 19).is_err());
        assert_eq!(check_books(b"\x05vorbis"), Ok(()));
        assert_eq!(check_books(b"no header"), Ok(()));
    }
}
