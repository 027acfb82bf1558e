//! Damage: what is lost becomes silence of its length, and is told.

use std::fs;
use std::path::Path;

use super::{bytes, codes, decode, path, seconds, tone};
use crate::audio::{flac, opus, wav_i16};

#[test]
fn one_packet_of_silence_stands_in_for_one_lost() {
    // 20 s of AAC, of which 30 to 60 % of the bytes are zeros.
    let (got, warnings) = decode(&bytes("hole.m4a")).unwrap();
    assert!((seconds(&got) - 20.0).abs() < 0.1, "{}", seconds(&got));
    assert!(codes(&warnings).contains(&"lost"), "{warnings:?}");
    // Every 701st byte is another.
    let (got, warnings) = decode(&bytes("spots.m4a")).unwrap();
    assert!((seconds(&got) - 20.0).abs() < 0.1, "{}", seconds(&got));
    assert!(codes(&warnings).contains(&"undecodable"), "{warnings:?}");
}

#[test]
fn frames_in_another_form_get_a_decoder_of_their_own() {
    let (got, warnings) = decode(&bytes("mono_then_stereo.mp3")).unwrap();
    assert!((seconds(&got) - 8.96).abs() < 0.15, "{} {warnings:?}", seconds(&got));
    let half = got.len() / 2;
    let loud = |samples: &[f32]| samples.iter().any(|s| s.abs() > 0.05);
    assert!(loud(&got[..half]) && loud(&got[half..]));
}

#[test]
fn mp3_is_read_to_its_end_whatever_its_first_frame_promises() {
    let (got, warnings) = decode(&bytes("joined.mp3")).unwrap();
    assert!((seconds(&got) - 7.1).abs() < 0.2, "{}", seconds(&got));
    assert_eq!(codes(&warnings), ["more_than_promised"]);
    // A hole in the middle keeps its time, and a cut is told by what was promised.
    let whole = bytes("id3_utf16.mp3");
    let (before, warnings) = decode(&whole).unwrap();
    assert_eq!(codes(&warnings), [""; 0]);
    assert!((seconds(&before) - 4.4).abs() < 0.1, "{}", seconds(&before));
    let mut hole = whole.clone();
    let (from, to) = (whole.len() * 3 / 10, whole.len() * 6 / 10);
    hole[from..to].fill(0);
    let (after, warnings) = decode(&hole).unwrap();
    assert!((seconds(&after) - seconds(&before)).abs() < 0.06, "{}", seconds(&after));
    assert!(codes(&warnings).contains(&"lost"), "{warnings:?}");
    let cut = [&whole[..from], &whole[to..]].concat();
    let (after, warnings) = decode(&cut).unwrap();
    assert!(seconds(&after) < 0.8 * seconds(&before));
    assert!(codes(&warnings).contains(&"cut_short"), "{warnings:?}");
}

#[test]
fn time_stamps_never_ask_for_hours_of_silence() {
    let start = std::time::Instant::now();
    if let Ok((got, warnings)) = decode(&bytes("gap_30KiB.opus")) {
        assert!(seconds(&got) < 200.0, "{} s", seconds(&got));
        assert!(codes(&warnings).contains(&"jump"), "{warnings:?}");
    }
    assert!(start.elapsed().as_secs() < 60);
    // And a decoder that gives up does no more than that.
    let panics = path("../../fuzz/ogg/vorbis_panic.ogg");
    let _ = decode(&fs::read(panics).unwrap());
}

#[test]
fn pages_that_are_missing_in_front_of_the_last_are_told() {
    let voice: Vec<f32> = tone().iter().chain(&tone()).chain(&tone()).copied().collect();
    let whole = opus(&voice, 1, 0, 10);
    let places: Vec<usize> =
        (0..whole.len() - 4).filter(|at| whole[*at..].starts_with(b"OggS")).collect();
    assert!(decode(&whole).unwrap().1.is_empty());
    let last = places.len() - 1;
    for first in [4, last - 2, last - 1] {
        let cut = [&whole[..places[first]], &whole[places[last]..]].concat();
        let part = [&whole[..places[first] + 100], &whole[places[last]..]].concat();
        let mut hole = whole.clone();
        hole[places[first] + 60..places[last]].fill(0);
        let mut flipped = whole.clone();
        flipped[places[first] + 60] ^= 1;
        for bytes in [cut, part, hole, flipped] {
            let (_, warnings) = decode(&bytes).unwrap();
            let told = codes(&warnings).iter().any(|code| ["lost", "cut_short"].contains(code));
            assert!(told, "{first} {warnings:?}");
        }
    }
    // One behind the other is a chain, and nothing is lost in it.
    assert!(decode(&[whole.clone(), whole].concat()).unwrap().1.is_empty());
}

#[test]
fn a_recording_that_was_appended_to_another_is_read_or_told() {
    let (one, two) = (wav_i16(&tone(), 1, 16_000), wav_i16(&tone(), 1, 16_000));
    let (got, warnings) = decode(&[one, two].concat()).unwrap();
    assert_eq!((got.len(), codes(&warnings)), (16_000, vec!["unread_bytes"]));
    assert!(warnings[0].text.contains("another WAV file follows, of 32044 bytes"), "{warnings:?}");
    let one = flac(&tone(), 1, 16_000);
    let (got, warnings) = decode(&[one.clone(), one.clone()].concat()).unwrap();
    assert_eq!((got.len(), codes(&warnings)), (16_000, vec!["unread_bytes"]));
    assert!(decode(&one).unwrap().1.is_empty());
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/iff/d.caf");
    let caf = fs::read(kept).unwrap();
    let (whole, none) = decode(&caf).unwrap();
    assert!(none.is_empty());
    let (got, warnings) = decode(&[caf.clone(), caf].concat()).unwrap();
    assert_eq!((got, codes(&warnings)), (whole, vec!["unread_bytes"]));
}
