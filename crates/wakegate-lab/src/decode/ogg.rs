//! What an Ogg file holds, by its first pages.

use std::io;

use symphonia::core::io::MediaSource;

use super::view::read_at;

/// Pages looked at: each stream begins with one, in front of all others.
const MOST_PAGES: usize = 32;

/// What the first packets of streams begin with, and the name of what then follows.
const STREAMS: [(&[u8], &str); 10] = [
    (b"\x7fFLAC", "FLAC"),
    (b"fLaC", "FLAC of an early form"),
    (b"OpusHead", "Opus"),
    (b"\x01vorbis", "Vorbis"),
    (b"Speex   ", "Speex"),
    (b"CELT    ", "CELT"),
    (b"PCM     ", "PCM"),
    (b"\x80theora", "Theora video"),
    (b"BBCD", "Dirac video"),
    (b"fishead", "Skeleton"),
];

/// Names of the streams of `file`.
pub(super) fn streams(file: &mut dyn MediaSource) -> io::Result<Vec<&'static str>> {
    let mut names = Vec::new();
    let mut at = 0;
    for _ in 0..MOST_PAGES {
        let mut page = [0; 27 + 255 + 16];
        let count = read_at(file, at, &mut page)?;
        let first = count > 27 && page.starts_with(b"OggS") && page[5] & 2 != 0;
        if !first {
            break;
        }
        let segments = usize::from(page[26]);
        let body: u64 = page[27..27 + segments].iter().map(|length| u64::from(*length)).sum();
        let packet = &page[(27 + segments).min(count)..count];
        let known = STREAMS.iter().find(|(magic, _)| packet.starts_with(magic));
        names.push(known.map_or("something unknown", |(_, name)| *name));
        at += (27 + segments) as u64 + body;
    }
    Ok(names)
}
