//! Altered recordings in every container, for a bounded time: each gives samples or an error, and
//! none a panic, an endless loop, or memory in the measure of a damaged length.
//!
//! What they begin with lies in `tests/fuzz`, by container.

use std::io::Cursor;
use std::time::{Duration, Instant};

use crate::audio::opus;
use crate::cli_support::checkout;
use crate::fuzz_support::fuzz;
use wakegate::audio::{Channel, Source};
use wakegate_lab::decode::FileSource;

/// Longest that an input of up to 64 KiB may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes that it may hold at a time: more is a length, or a number of channels, that was
/// believed.
const MOST_BYTES: usize = 64 << 20;
/// Samples that are looked at: what is silent can be an hour of FLAC in a few kilobytes.
const MOST_SAMPLES: usize = 16_000 * 3_600;

/// Reads all of a recording.
fn read(bytes: Vec<u8>, channel: Channel) {
    let Ok(source) = FileSource::of_bytes(Cursor::new(bytes), "PATH", None) else { return };
    let Ok(mut source) = source.of_channel(channel) else { return };
    let (mut block, mut total) = (vec![0.0; 4_000], 0);
    while let Ok(count @ 1..) = source.read(&mut block) {
        assert!(block[..count].iter().all(|sample| sample.is_finite()));
        total += count;
        if total > MOST_SAMPLES {
            return;
        }
    }
    source.warnings().iter().for_each(|warning| assert!(warning.text.len() < 400, "{warning}"));
}

fn decoders_of(container: &str, more: Vec<Vec<u8>>, mend: impl Fn(&mut [u8])) {
    fuzz(container, more, |bytes| {
        let mut bytes = bytes.to_vec();
        mend(&mut bytes);
        let start = Instant::now();
        let most = crate::most_held(|| {
            let channel = if bytes.len() % 4 == 0 { Channel::One(1) } else { Channel::Mix };
            read(bytes, channel);
        });
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        assert!(most < MOST_BYTES, "{most} bytes at a time");
    });
}

/// Gives the pages of an Ogg stream the checksums of what is now in them: without, no reader looks
/// into a page that was altered.
fn mend_pages(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(4).position(|four| four == b"OggS") {
        let start = at + found;
        let Some(count) = bytes.get(start + 26).map(|count| usize::from(*count)) else { return };
        let Some(lacing) = bytes.get(start + 27..start + 27 + count) else { return };
        let length = lacing.iter().map(|part| usize::from(*part)).sum::<usize>();
        let end = start + 27 + count + length;
        let Some(page) = bytes.get_mut(start..end) else { return };
        page[22..26].fill(0);
        let sum = page.iter().fold(0_u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte) << 24, |sum, _| {
                (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 }
            })
        });
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        at = end;
    }
}

/// Bits, the lowest of each byte first.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn put(&mut self, value: u32, width: u32) -> &mut Self {
        self.0.extend((0..width).map(|place| value >> place & 1 == 1));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| bits.iter().rev().fold(0, |sum, bit| sum << 1 | u8::from(*bit));
        self.0.chunks(8).map(byte).collect()
    }
}

fn ogg_page(number: u32, flags: u8, packets: &[Vec<u8>]) -> Vec<u8> {
    let lacing = |packet: &Vec<u8>| {
        let mut lengths = vec![255; packet.len() / 255];
        lengths.push((packet.len() % 255) as u8);
        lengths
    };
    let lacing: Vec<u8> = packets.iter().flat_map(lacing).collect();
    let mut page = [b"OggS\0".as_slice(), &[flags], &[0; 8], &[1, 0, 0, 0]].concat();
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push(u8::try_from(lacing.len()).unwrap());
    page.extend(lacing);
    page.extend(packets.concat());
    mend_pages(&mut page);
    page
}

/// A Vorbis file whose setup header asks for `count` books of 131,072 entries, in 24 bytes each.
fn vorbis_of_many_books(count: u32) -> Vec<u8> {
    let first =
        [b"\x01vorbis".as_slice(), &[0, 0, 0, 0, 1, 0x80, 0x3e, 0, 0], &[0; 12], &[0xb8, 1]];
    let comment = [b"\x03vorbis".as_slice(), &[0; 8], &[1]].concat();
    let mut books = Bits::default();
    books.put(count - 1, 8);
    for _ in 0..count {
        books.put(0x56_4342, 24).put(16, 16).put(1 << 17, 24).put(1, 1).put(16, 5).put(1 << 17, 18);
        books.put(1, 4).put(0, 32).put(0, 32).put(0, 4).put(0, 1).put(0, 2);
    }
    let setup = [b"\x05vorbis".as_slice(), &books.bytes(), &[0; 99]].concat();
    [
        ogg_page(0, 2, &[first.concat()]),
        ogg_page(1, 0, &[comment, setup]),
        ogg_page(2, 4, &[vec![0; 9]]),
    ]
    .concat()
}

#[test]
fn vorbis_books_are_counted_before_they_are_laid_out() {
    let bytes = vorbis_of_many_books(100);
    assert!(bytes.len() < 4_096);
    let most = crate::most_held(|| {
        let error = FileSource::of_bytes(Cursor::new(bytes), "PATH", None).err().unwrap();
        assert!(error.to_string().contains("Vorbis whose codebooks have"), "{error}");
    });
    assert!(most < 4 << 20, "{most} bytes at a time");
}

#[test]
fn what_looks_like_pages_all_over_is_looked_at_a_few_times_at_most() {
    let likeness = [b"OggS".as_slice(), &[0xff; 28]].concat();
    for bytes in [likeness.repeat(60_000), b"OggS".repeat(400_000)] {
        let start = Instant::now();
        read(bytes, Channel::Mix);
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
}

/// ADTS frames of one byte each that say they are 4,096 samples, and a CAF whose packets of one byte
/// are said to be 65,536.
fn claims_of_few_bytes() -> [(Vec<u8>, usize); 2] {
    let frame = [0xff, 0xf1, 0x60, 0x40, 0x01, 0x1f, 0xff, 0];
    let chunk = |name: &[u8; 4], body: &[u8]| {
        [name.as_slice(), &(body.len() as u64).to_be_bytes(), body].concat()
    };
    let four = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<u8>>();
    let description =
        [&16_000_f64.to_be_bytes(), b"alac".as_slice(), &four(&[0, 1, 65_536, 1, 16])].concat();
    let cookie =
        [&four(&[4_096]), [0, 16, 40, 10, 14, 1, 0, 255].as_slice(), &four(&[0, 0, 16_000])];
    let caf = [
        b"caff\0\x01\0\0".to_vec(),
        chunk(b"desc", &description),
        chunk(b"kuki", &cookie.concat()),
        chunk(b"data", &[0x5a; 40_000]),
    ];
    [(frame.repeat(20_000), 20_000), (caf.concat(), 40_000)]
}

#[test]
fn silence_stands_in_for_no_more_than_so_few_bytes_can_hold() {
    for (bytes, packets) in claims_of_few_bytes() {
        let mut source = FileSource::of_bytes(Cursor::new(bytes), "PATH", None).unwrap();
        let (mut block, mut total) = (vec![0.0; 4_000], 0);
        let error = loop {
            match source.read(&mut block) {
                Ok(0) => panic!("it can't be decoded"),
                Ok(count) => total += count,
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("at least 1 sample"), "{error}");
        assert!(total <= 16_000 * (60 + packets / 250), "{total} samples of silence");
    }
}

#[test]
fn wave_and_adpcm() {
    decoders_of("wave", Vec::new(), |_| {});
}

#[test]
fn aiff_au_sphere_and_caf() {
    decoders_of("iff", Vec::new(), |_| {});
}

fn mp4_box(name: &[u8; 4], parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes(), name.as_slice(), &body].concat()
}

/// Files in fragments whose runs promise billions of samples and take no bytes for them: in boxes
/// within a last one without a size, and each run within bounds, but thousands of them.
fn endless_runs() -> Vec<Vec<u8>> {
    let parts = std::fs::read(checkout("tests/fuzz/mp4/parts.m4a")).unwrap();
    let run = |count: u32| mp4_box(b"trun", &[vec![0; 4], count.to_be_bytes().to_vec()]);
    let fragment = |runs: Vec<Vec<u8>>| {
        let head = mp4_box(b"tfhd", &[vec![0; 4], vec![0, 0, 0, 1]]);
        let track = mp4_box(b"traf", &[vec![head], runs].concat());
        mp4_box(b"moof", &[mp4_box(b"mfhd", &[vec![0; 8]]), track])
    };
    let hidden = fragment(vec![run(u32::MAX); 20]);
    let many = fragment(vec![run(600_000); 40_000]);
    [b"mdat", b"free", b"wide"]
        .map(|name| [parts.as_slice(), &[0; 4], name, &hidden].concat())
        .into_iter()
        .chain([[parts.as_slice(), &many].concat()])
        .collect()
}

#[test]
fn mp4_whole_and_in_fragments() {
    decoders_of("mp4", endless_runs(), |_| {});
}

#[test]
fn matroska_and_webm() {
    decoders_of("matroska", Vec::new(), |_| {});
}

#[test]
fn ogg_as_it_is() {
    decoders_of("ogg", Vec::new(), |_| {});
}

#[test]
fn ogg_with_sound_checksums() {
    let tone: Vec<f32> = (0..4_000).map(|n| (n as f32 * 0.17).sin() / 2.0).collect();
    decoders_of("ogg", vec![opus(&tone, 1, 0, 5)], mend_pages);
}

#[test]
fn mpeg_audio_and_adts() {
    decoders_of("mpeg", Vec::new(), |_| {});
}

#[test]
fn flac_alone() {
    decoders_of("flac", Vec::new(), |_| {});
}
