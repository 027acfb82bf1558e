//! What is refused by name, and what needs a choice.

use std::fs;

use tempfile::TempDir;
use wakegate::audio::{Channel, Source, read_all};
use wakegate_lab::decode::{FileSource, RawForm};

use super::{bytes, chunk, codes, decode, error, format, tone, wave};
use crate::audio::{flac, snr_db, wav_i16};

#[test]
fn floats_of_another_scale_are_refused_with_what_helps() {
    let scaled: Vec<u8> = tone().iter().flat_map(|s| (s * 32_767.0).to_le_bytes()).collect();
    let said = error(&wave(&[format(3, 32, 4), chunk(b"data", &scaled)]));
    assert!(said.contains("divide those of 16 bits by 32768"), "{said}");
    // What is a little louder than full scale is as good as any.
    let loud: Vec<u8> = tone().iter().flat_map(|s| (s * 6.0).to_le_bytes()).collect();
    assert!(decode(&wave(&[format(3, 32, 4), chunk(b"data", &loud)])).is_ok());
}

#[test]
fn what_is_known_and_not_read_is_named() {
    for (bytes, name) in [
        (bytes("wavpack.wv"), "WavPack"),
        (bytes("speex.spx"), "Ogg with Speex"),
        ([b"MAC \x96\x0f\0\0".to_vec(), wav_i16(&tone(), 1, 16_000)].concat(), "Monkey's Audio"),
        ([b"tBaK\0\0\0\0".to_vec(), flac(&tone(), 1, 16_000)].concat(), "TAK"),
        ([b"\x28\xb5\x2f\xfd".to_vec(), flac(&tone(), 1, 16_000)].concat(), "a Zstandard archive"),
        ([b"#!AMR\n".to_vec(), vec![60; 500]].concat(), "AMR"),
        (wave(&[format(0x31, 0, 65), chunk(b"data", &[7; 650])]), "WAV with GSM 6.10"),
        (b"RIFF\x24\0\0\0AVI LIST\0\0\0\0hdrl".to_vec(), "AVI video"),
        // Not by bytes further in.
        ([vec![0x13; 40], flac(&tone(), 1, 16_000)].concat(), "no known audio format"),
        ([vec![0x13; 40], wav_i16(&tone(), 1, 16_000)].concat(), "no known audio format"),
    ] {
        let said = error(&bytes);
        assert!(
            said.starts_with("cannot decode PATH: expected WAV") && said.contains(name),
            "{said}"
        );
    }
}

#[test]
fn channels_that_cancel_out_are_told_and_one_can_be_chosen() {
    let opposite: Vec<f32> = tone().iter().flat_map(|&s| [s, -s]).collect();
    let wav = wav_i16(&opposite, 2, 16_000);
    let (got, warnings) = decode(&wav).unwrap();
    assert!(got.iter().all(|s| s.abs() < 1e-3));
    assert_eq!(codes(&warnings), ["channels_cancel"]);
    let open = || FileSource::of_bytes(std::io::Cursor::new(wav.clone()), "PATH", None).unwrap();
    for (number, sign) in [(1, 1.0), (2, -1.0)] {
        let mut source = open().of_channel(Channel::One(number)).unwrap();
        let got = read_all(&mut source).unwrap();
        let wanted: Vec<f32> = tone().iter().map(|s| s * sign).collect();
        assert!(snr_db(&wanted, &got) > 60.0 && source.warnings().is_empty());
    }
    let said = open().of_channel(Channel::One(3)).err().unwrap().to_string();
    assert!(said.contains("expected channel 1 to 2, found 3"), "{said}");
    // The same in both is no reason for a word.
    let same: Vec<f32> = tone().iter().flat_map(|&s| [s, s]).collect();
    assert!(decode(&wav_i16(&same, 2, 16_000)).unwrap().1.is_empty());
}

#[test]
fn a_header_on_raw_samples_is_refused() {
    let form = RawForm::new("s16le".parse().unwrap(), 16_000, 1).unwrap();
    for (bytes, name) in [
        (wav_i16(&tone(), 1, 16_000), "WAV data"),
        (flac(&tone(), 1, 16_000), "FLAC data"),
        (bytes("opus_in_ogg.opus"), "Ogg data"),
        (bytes("id3_utf16.mp3"), "ID3 data"),
        (bytes("edit_list_1s.m4a"), "MP4 data"),
    ] {
        let raw = FileSource::of_bytes(std::io::Cursor::new(bytes.clone()), "a.raw", Some(form));
        let said = raw.err().unwrap().to_string();
        assert!(said.contains(name) && said.contains("hint"), "{said}");
        let mut pipe = wakegate::audio::RawPcm::new(std::io::Cursor::new(bytes));
        let said = read_all(&mut pipe).unwrap_err().to_string();
        assert!(said.contains(name) && said.contains("arecord -t raw"), "{said}");
    }
}

#[test]
fn a_pipe_with_the_name_of_a_recording_is_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("a.wav");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = FileSource::open(&pipe).err().unwrap().to_string();
    assert!(said.contains("found a device or pipe"), "{said}");
    fs::write(folder.path().join("._b.wav"), b"resource fork").unwrap();
    fs::write(folder.path().join("b.wav"), wav_i16(&tone(), 1, 16_000)).unwrap();
    let found = wakegate_lab::decode::find_audio(&[folder.path()]);
    let problems: Vec<bool> = found.iter().map(|found| found.problem.is_some()).collect();
    assert_eq!(problems, [true, false]);
}
