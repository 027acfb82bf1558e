//! Telephony and headerless audio, and audio that lies inside something else.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::audio::{Wav, decode, flac, opus, rms, sine, snr_db, wav_i16};
use tempfile::TempDir;
use wakegate::audio::{Source, read_all};
use wakegate_lab::decode::{Encoding, FilePart, FileSource, RawForm};

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn form(encoding: &str, rate: u32, channels: u16) -> RawForm {
    RawForm::new(encoding.parse::<Encoding>().unwrap(), rate, channels).unwrap()
}

/// Samples and warnings of `bytes` without a header.
fn decode_raw(bytes: &[u8], form: RawForm) -> (Vec<f32>, Vec<String>) {
    let folder = TempDir::new().unwrap();
    let mut source = FileSource::open_raw(file(&folder, "a.raw", bytes), form).unwrap();
    let samples = read_all(&mut source).unwrap();
    (samples, source.warnings().iter().map(|warning| warning.text.clone()).collect())
}

/// Name, format in a WAV header, and code words with their values on 16 bits.
type Law = (&'static str, u16, &'static [(u8, i16)]);

/// The two codes of ITU-T G.711.
const G711: [Law; 2] = [
    (
        "ulaw",
        7,
        &[
            (0x00, -32_124),
            (0x80, 32_124),
            (0x7f, 0),
            (0xff, 0),
            (0xfe, 8),
            (0x7e, -8),
            (0x8f, 16_764),
        ],
    ),
    (
        "alaw",
        6,
        &[
            (0x55, -8),
            (0xd5, 8),
            (0x2a, -32_256),
            (0xaa, 32_256),
            (0xd4, 24),
            (0x54, -24),
            (0xa5, 16_896),
        ],
    ),
];

#[test]
fn g711_words_have_the_values_of_the_recommendation() {
    let folder = TempDir::new().unwrap();
    for (name, tag, words) in G711 {
        let data: Vec<u8> = words.iter().map(|word| word.0).collect();
        let wanted: Vec<f32> = words.iter().map(|word| f32::from(word.1) / 32_768.0).collect();
        assert_eq!(decode_raw(&data, form(name, 16_000, 1)), (wanted.clone(), vec![]), "{name}");
        let wav = Wav { format: tag, channels: 1, rate: 16_000, bits: 8, data: &data }.bytes();
        assert_eq!(decode(&file(&folder, "a.wav", &wav)).unwrap(), (wanted, vec![]), "{name}");
    }
}

#[test]
fn a_telephone_call_without_a_header_is_the_call_with_one() {
    // Every word of the code, twice, at the telephone's rate.
    let data: Vec<u8> = (0..8_000_u32).map(|n| (n * 7) as u8).collect();
    let folder = TempDir::new().unwrap();
    for (name, tag, _) in G711 {
        for channels in [1, 2] {
            let wav = Wav { format: tag, channels, rate: 8_000, bits: 8, data: &data }.bytes();
            let wanted = decode(&file(&folder, "a.wav", &wav)).unwrap();
            assert_eq!(wanted.0.len(), 16_000 / usize::from(channels));
            assert!(rms(&wanted.0) > 0.01);
            assert_eq!(decode_raw(&data, form(name, 8_000, channels)), wanted, "{name}");
        }
    }
}

#[test]
fn a_telephone_recording_has_a_long_or_a_short_header_and_may_be_cut_short() {
    let folder = TempDir::new().unwrap();
    let data = [0x80; 12_000];
    let short = Wav { format: 7, channels: 1, rate: 8_000, bits: 8, data: &data }.bytes();
    // The chunk as the standard has it, with the length of an extension that is not there.
    let riff = (short.len() as u32 - 8 + 2).to_le_bytes();
    let long =
        [b"RIFF", &riff[..], &short[8..16], &[18], &short[17..36], &[0, 0], &short[36..]].concat();
    let wanted = decode(&file(&folder, "short.wav", &short)).unwrap();
    assert_eq!((wanted.0.len(), wanted.1.len()), (24_000, 0));
    assert_eq!(decode(&file(&folder, "long.wav", &long)).unwrap(), wanted);
    let (got, warnings) = decode(&file(&folder, "cut.wav", &short[..8_044])).unwrap();
    assert_eq!(got.len(), 16_000);
    assert_eq!(warnings, ["the file is cut short: its header promises 1.500 s, it holds 1.000 s"]);
    // What a recorder leaves that was stopped before it wrote the length.
    let open = [&short[..40], &[0xff; 4], &short[44..]].concat();
    assert_eq!(decode(&file(&folder, "open.wav", &open)).unwrap(), wanted);
}

#[test]
fn every_encoding_of_headerless_samples_is_read() {
    let tone = sine(440.0, 0.5, 16_000, 5_000);
    let whole = |scale: f64| tone.iter().map(move |s| (f64::from(*s) * scale).round() as i64);
    let bytes = |name: &str| -> Vec<u8> {
        let big = |n: usize, v: i64| v.to_be_bytes()[8 - n..].to_vec();
        let little = |n: usize, v: i64| v.to_le_bytes()[..n].to_vec();
        match name {
            "u8" => whole(128.0).map(|v| (v + 128) as u8).collect(),
            "s8" => whole(128.0).flat_map(|v| little(1, v)).collect(),
            "s16le" => whole(32_768.0).flat_map(|v| little(2, v)).collect(),
            "s16be" => whole(32_768.0).flat_map(|v| big(2, v)).collect(),
            "s24le" => whole(8_388_608.0).flat_map(|v| little(3, v)).collect(),
            "s24be" => whole(8_388_608.0).flat_map(|v| big(3, v)).collect(),
            "s32le" => whole(2_147_483_648.0).flat_map(|v| little(4, v)).collect(),
            "s32be" => whole(2_147_483_648.0).flat_map(|v| big(4, v)).collect(),
            "f32le" => tone.iter().flat_map(|s| s.to_le_bytes()).collect(),
            "f32be" => tone.iter().flat_map(|s| s.to_be_bytes()).collect(),
            "f64le" => tone.iter().flat_map(|s| f64::from(*s).to_le_bytes()).collect(),
            "f64be" => tone.iter().flat_map(|s| f64::from(*s).to_be_bytes()).collect(),
            other => panic!("{other}"),
        }
    };
    for (name, least_db) in [
        ("u8", 38.0),
        ("s8", 38.0),
        ("s16le", 85.0),
        ("s16be", 85.0),
        ("s24le", 120.0),
        ("s24be", 120.0),
        ("s32le", 120.0),
        ("s32be", 120.0),
        ("f32le", 120.0),
        ("f32be", 120.0),
        ("f64le", 120.0),
        ("f64be", 120.0),
    ] {
        let (got, warnings) = decode_raw(&bytes(name), form(name, 16_000, 1));
        assert_eq!((got.len(), warnings.len()), (5_000, 0), "{name}");
        let snr = snr_db(&tone, &got);
        assert!(snr > least_db, "{name}: {snr:.1} dB");
    }
}

#[test]
fn half_a_frame_at_the_end_is_told() {
    let (got, warnings) = decode_raw(&[0, 0x40, 0, 0xc0, 1], form("s16le", 16_000, 1));
    assert_eq!(got, [0.5, -0.5]);
    assert_eq!(warnings, ["the file ends in the middle of a sample: its last 1 bytes are dropped"]);
    assert_eq!(decode_raw(&[0; 6], form("s16le", 16_000, 2)).0, [0.0]);
}

#[test]
fn a_form_that_cannot_be_is_refused() {
    let message = |result: wakegate::Result<RawForm>| result.unwrap_err().to_string();
    let s16 = "s16le".parse().unwrap();
    assert_eq!(
        message(RawForm::new(s16, 1_000, 1)),
        "unusable sample rate: expected 2000 to 384000 Hz, found 1000 Hz"
    );
    assert_eq!(
        message(RawForm::new(s16, 8_000, 0)),
        "unusable channel count: expected 1 to 255, found 0"
    );
    assert!("mp3".parse::<Encoding>().unwrap_err().to_string().ends_with(", found mp3"));
    let folder = TempDir::new().unwrap();
    let mut empty = FileSource::open_raw(file(&folder, "a", b""), form("u8", 8_000, 1)).unwrap();
    assert!(empty.read(&mut [0.0; 4]).unwrap_err().to_string().contains("holds no samples"));
}

fn tone_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/audio").join(name)
}

/// `tests/data/audio/tone.*` hold 0.5 s of 440 Hz at amplitude 0.5 (`make.py` beside them).
#[test]
fn aac_is_read_in_both_its_containers() {
    for name in ["tone.m4a", "tone.aac"] {
        let path = tone_file(name);
        let (got, warnings) = decode(&path).unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        // The encoder's delay and the end of the last frame of 1024 are there or trimmed.
        assert!((8_000..=8_000 + 3 * 1_024).contains(&got.len()), "{name}: {}", got.len());
        let middle = &got[3_000..7_000];
        assert!((rms(middle) - 0.5 / 2f64.sqrt()).abs() < 0.01, "{name}: {}", rms(middle));
        let crossings = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
        assert!(crossings.abs_diff(110) <= 1, "{name}: {crossings} periods in 0.25 s");
    }
}

#[test]
fn bytes_in_memory_and_in_the_middle_of_a_file_are_the_file() {
    let tone = sine(440.0, 0.5, 44_100, 50_000);
    let folder = TempDir::new().unwrap();
    for (name, bytes) in [
        ("a.wav", wav_i16(&tone, 1, 44_100)),
        ("a.flac", flac(&tone, 1, 44_100)),
        ("a.opus", opus(&sine(440.0, 0.5, 16_000, 20_000), 1, 0, 20)),
        ("tone.mp3", fs::read(tone_file("tone.mp3")).unwrap()),
        ("tone.m4a", fs::read(tone_file("tone.m4a")).unwrap()),
    ] {
        let wanted = decode(&file(&folder, name, &bytes)).unwrap();
        let mut source = FileSource::of_bytes(Cursor::new(bytes.clone()), name, None).unwrap();
        assert_eq!(read_all(&mut source).unwrap(), wanted.0, "{name} in memory");
        let around = [&[0x52; 700][..], &bytes[..], &[0xff; 700]].concat();
        let whole = Arc::new(File::open(file(&folder, "around", &around)).unwrap());
        let part = FilePart::new(whole, 700, bytes.len() as u64);
        let mut source = FileSource::of_bytes(part, name, None).unwrap();
        assert_eq!(read_all(&mut source).unwrap(), wanted.0, "{name} in a file");
        let warnings: Vec<&str> = source.warnings().iter().map(|w| w.text.as_str()).collect();
        assert_eq!(warnings, wanted.1);
    }
    let error =
        FileSource::of_bytes(Cursor::new(b"text\n"), "shard.tar/a.wav", None).err().unwrap();
    assert!(error.to_string().starts_with("cannot decode shard.tar/a.wav: "), "{error}");
}

#[test]
fn raw_samples_are_never_another_file() {
    let folder = TempDir::new().unwrap();
    let wave64 = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb";
    for (head, name) in [
        (wave64.as_slice(), "Wave64"),
        (b"NIST_1A\n   1024\n", "SPHERE"),
        (b"wvpk\x10\x02\0\0\x10\x04\0\0", "WavPack"),
        (b"MAC \x96\x0f\0\0\0\0\0\0", "Monkey's Audio"),
        (b"#!AMR\n\x3c\0\0\0\0\0", "AMR"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media"),
        (b"PK\x03\x04\x14\0\0\0\x08\0\0\0", "zip"),
        (b"\x1f\x8b\x08\x08\0\0\0\0\0\0\0\0", "gzip"),
        (b"\x28\xb5\x2f\xfd\x04\0\0\0\0\0\0\0", "Zstandard"),
        (b"\xfd7zXZ\0\0\x04\0\0\0\0", "xz"),
        (b"OggS\0\x02\0\0\0\0\0\0", "Ogg"),
    ] {
        let bytes = [head, &[7; 4_000]].concat();
        let opened = FileSource::open_raw(file(&folder, "a.raw", &bytes), form("s16le", 16_000, 1));
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(&format!("found {name} data")), "{error}");
    }
}
