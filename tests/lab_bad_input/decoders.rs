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
