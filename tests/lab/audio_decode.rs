//! Good audio in every format: the samples, their length and their timing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::audio::{Wav, decode, flac, opus, rms, sine, snr_db, wav_f32, wav_i16};
use proptest::prelude::*;
use tempfile::TempDir;
use wakegate::audio::{RawPcm, Source, read_all};
use wakegate_lab::decode::{FileSource, find_audio};

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn decode_bytes(name: &str, bytes: &[u8]) -> (Vec<f32>, Vec<String>) {
    let folder = TempDir::new().unwrap();
    decode(&file(&folder, name, bytes)).unwrap()
}

/// `mono` repeated over `channels`, interleaved.
fn spread(mono: &[f32], channels: usize) -> Vec<f32> {
    mono.iter().flat_map(|&s| std::iter::repeat_n(s, channels)).collect()
}

#[test]
fn wav_at_16_khz_is_bit_exact() {
    let tone: Vec<f32> = sine(440.0, 0.5, 16_000, 16_000)
        .iter()
        .map(|s| (s * 32_768.0).round() / 32_768.0)
        .collect();
    assert_eq!(decode_bytes("a.wav", &wav_i16(&tone, 1, 16_000)), (tone.clone(), vec![]));
    assert_eq!(decode_bytes("a.wav", &wav_f32(&tone, 1, 16_000)), (tone, vec![]));
}

#[test]
fn every_wav_sample_format_is_read() {
    let tone = sine(440.0, 0.5, 16_000, 1_600);
    let with = |format, bits, data: Vec<u8>| {
        let bytes = Wav { format, channels: 1, rate: 16_000, bits, data: &data }.bytes();
        let (got, warnings) = decode_bytes("a.wav", &bytes);
        assert_eq!((got.len(), warnings.len()), (1_600, 0), "format {format}, {bits} bits");
        snr_db(&tone, &got)
    };
    let u8s = tone.iter().map(|s| (s * 128.0 + 128.0).round() as u8).collect();
    assert!(with(1, 8, u8s) > 38.0);
    let i24 = |s: &f32| ((s * 8_388_608.0).round() as i32).to_le_bytes()[..3].to_vec();
    assert!(with(1, 24, tone.iter().flat_map(i24).collect()) > 120.0);
    let i32s = |s: &f32| ((f64::from(*s) * 2_147_483_648.0).round() as i32).to_le_bytes();
    assert!(with(1, 32, tone.iter().flat_map(i32s).collect()) > 120.0);
    let f64s = |s: &f32| f64::from(*s).to_le_bytes();
    assert!(with(3, 64, tone.iter().flat_map(f64s).collect()) > 120.0);
}

#[test]
fn channels_are_mixed_by_their_mean() {
    let left = sine(440.0, 0.5, 16_000, 1_600);
    let stereo: Vec<f32> = left.iter().flat_map(|&s| [s, -0.5 * s]).collect();
    let (got, _) = decode_bytes("a.wav", &wav_f32(&stereo, 2, 16_000));
    let wanted: Vec<f32> = left.iter().map(|s| s * 0.25).collect();
    assert!(snr_db(&wanted, &got) > 120.0);
}

#[test]
fn eight_channels_at_192_khz_are_read() {
    let tone = sine(1_000.0, 0.5, 192_000, 192_000);
    let (got, warnings) = decode_bytes("a.wav", &wav_i16(&spread(&tone, 8), 8, 192_000));
    assert_eq!((got.len(), warnings.len()), (16_000, 0));
    let wanted = sine(1_000.0, 0.5, 16_000, 16_000);
    assert!(snr_db(&wanted[800..15_200], &got[800..15_200]) > 70.0);
}

#[test]
fn flac_gives_what_went_in() {
    let tone = sine(440.0, 0.5, 16_000, 20_000);
    let (got, warnings) = decode_bytes("a.flac", &flac(&tone, 1, 16_000));
    assert_eq!((got.len(), warnings.len()), (20_000, 0));
    assert!(snr_db(&tone, &got) > 80.0);
    let wide = sine(440.0, 0.5, 44_100, 44_100);
    let (got, _) = decode_bytes("a.flac", &flac(&spread(&wide, 2), 2, 44_100));
    assert_eq!(got.len(), 16_000);
    assert!(snr_db(&tone[800..15_200], &got[800..15_200]) > 70.0);
}

#[test]
fn opus_keeps_time_length_and_gain() {
    // Pauses between the tones make a shift show.
    let tone: Vec<f32> = (0..24_000)
        .map(|i| if i / 2_000 % 3 == 0 { 0.0 } else { sine(440.0, 0.4, 16_000, i + 1)[i] })
        .collect();
    for per_page in [1, 10, 50, 200] {
        let (got, warnings) = decode_bytes("a.opus", &opus(&tone, 1, 0, per_page));
        assert_eq!((got.len(), warnings), (24_000, vec![]), "{per_page} packets a page");
        let best = (0..200).max_by(|&a, &b| {
            let match_at = |lag: usize| -> f64 {
                (100..23_800).map(|i| f64::from(tone[i]) * f64::from(got[i + lag - 100])).sum()
            };
            match_at(a).total_cmp(&match_at(b))
        });
        assert!(best.unwrap().abs_diff(100) <= 1, "shifted by {best:?} - 100 samples");
    }
    let plain = decode_bytes("a.opus", &opus(&tone, 1, 0, 50)).0;
    let quiet = decode_bytes("a.opus", &opus(&tone, 1, -6 * 256, 50)).0;
    assert!((20.0 * (rms(&quiet) / rms(&plain)).log10() + 6.0).abs() < 0.01);
    let stereo = decode_bytes("a.opus", &opus(&spread(&tone, 2), 2, 0, 50)).0;
    assert!((20.0 * (rms(&stereo) / rms(&plain)).log10()).abs() < 0.5);
}

/// `tests/data/audio/tone.*` hold 0.5 s of 440 Hz at amplitude 0.5 (`make.py` beside them).
#[test]
fn mp3_and_vorbis_are_read() {
    for name in ["tone.mp3", "tone.ogg"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/audio").join(name);
        let (got, warnings) = decode(&path).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        assert!(got.len().abs_diff(8_000) <= 1, "{name}: {} samples", got.len());
        let wanted = sine(440.0, 0.5, 16_000, 8_000);
        let snr = snr_db(&wanted[1_600..6_400], &got[1_600..6_400]);
        assert!(snr > 25.0, "{name}: {snr:.1} dB");
    }
}

#[test]
fn ten_ms_and_silence_are_fine() {
    let short = decode_bytes("a.wav", &wav_i16(&sine(440.0, 0.5, 16_000, 160), 1, 16_000));
    assert_eq!((short.0.len(), short.1), (160, vec![]));
    let short = decode_bytes("a.wav", &wav_i16(&sine(440.0, 0.5, 48_000, 480), 1, 48_000));
    assert_eq!((short.0.len(), short.1), (160, vec![]));
    let silence = decode_bytes("a.wav", &wav_i16(&[0.0; 44_100], 1, 44_100));
    assert_eq!(silence, (vec![0.0; 16_000], vec![]));
}

#[test]
fn a_chain_of_streams_is_read_to_its_end() {
    let tone = sine(440.0, 0.4, 16_000, 8_000);
    let mut chain = opus(&tone, 1, 0, 10);
    chain.extend(opus(&tone, 1, 0, 10));
    let (got, warnings) = decode_bytes("a.opus", &chain);
    assert_eq!((got.len(), warnings), (16_000, vec![]));
}

#[test]
fn raw_pcm_keeps_all_but_half_a_sample() {
    let mut source = RawPcm::new(&[0x00, 0x40, 0x00, 0xc0, 0x01][..]);
    assert_eq!(read_all(&mut source).unwrap(), [0.5, -0.5]);
    assert_eq!(
        source.warnings().iter().map(|warning| warning.text.as_str()).collect::<Vec<_>>(),
        ["the stream ends in the middle of a sample: its last byte is dropped"]
    );
    let mut empty = RawPcm::new(&[][..]);
    assert_eq!(read_all(&mut empty).unwrap(), Vec::<f32>::new());
    assert_eq!(empty.warnings(), []);
}

#[test]
fn raw_pcm_bears_a_pipe_that_gives_single_bytes() {
    struct Drip(Vec<u8>);
    impl std::io::Read for Drip {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() || out.is_empty() {
                return Ok(0);
            }
            out[0] = self.0.remove(0);
            Ok(1)
        }
    }
    let mut source = RawPcm::new(Drip(vec![0x00, 0x40, 0x00, 0xc0]));
    assert_eq!(read_all(&mut source).unwrap(), [0.5, -0.5]);
}

#[test]
fn folders_are_searched_in_order_whatever_the_case() {
    let folder = TempDir::new().unwrap();
    fs::create_dir_all(folder.path().join("b/deep")).unwrap();
    for name in ["c.WAV", "a.flac", "notes.txt", "b/x.Opus", "b/deep/y.mp3", "d.m4a"] {
        fs::write(folder.path().join(name), "x").unwrap();
    }
    let found = find_audio(&[folder.path().join("notes.txt"), folder.path().to_owned()]);
    assert!(found.iter().all(|f| f.problem.is_none()));
    let names: Vec<String> = found
        .iter()
        .map(|f| f.path.strip_prefix(folder.path()).unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["notes.txt", "a.flac", "b/deep/y.mp3", "b/x.Opus", "c.WAV", "d.m4a"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_samples_do_not_depend_on_how_they_are_read(
        rate in prop::sample::select(vec![8_000u32, 16_000, 44_100]),
        kind in 0..3,
        chunk in 1usize..9_000,
    ) {
        let tone = sine(440.0, 0.5, rate, 9_000);
        let bytes = match kind {
            0 => wav_i16(&tone, 1, rate),
            1 => flac(&tone, 1, rate as usize),
            _ => opus(&tone, 1, 0, 20),
        };
        let folder = TempDir::new().unwrap();
        let path = file(&folder, "a", &bytes);
        let mut source = FileSource::open(&path).unwrap();
        let (mut got, mut block) = (Vec::new(), vec![0.0; chunk]);
        loop {
            let n = source.read(&mut block).unwrap();
            if n == 0 {
                break;
            }
            got.extend_from_slice(&block[..n]);
        }
        prop_assert_eq!(got, decode(&path).unwrap().0);
    }
}

/// Compares with reference decodings where there are some: a folder with `NAME.opus` and
/// `NAME.f32` (raw little-endian, the reference decoder's samples at 16 kHz).
#[test]
fn recordings_match_their_reference() {
    let Some(folder) = std::env::var_os("WAKEGATE_RECORDINGS") else {
        crate::skip::skipped("recordings_match_their_reference", "WAKEGATE_RECORDINGS is not set");
        return;
    };
    let mut compared = 0;
    for found in find_audio(&[PathBuf::from(folder)]) {
        let Ok(bytes) = fs::read(found.path.with_extension("f32")) else { continue };
        let wanted: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).clamp(-1.0, 32_767.0 / 32_768.0))
            .collect();
        let (got, warnings) = decode(&found.path).unwrap();
        assert_eq!((got.len(), warnings), (wanted.len(), vec![]), "{}", found.path.display());
        let snr = snr_db(&wanted, &got);
        assert!(snr > 40.0, "{}: {snr:.1} dB", found.path.display());
        compared += 1;
    }
    println!("{compared} recordings compared");
}
