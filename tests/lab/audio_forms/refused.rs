//! What is refused by name, and what needs a choice.

use std::fs;
use std::path::Path;

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

/// What a pipe of these bytes is said to be; nothing where it is taken for samples.
fn told_of_a_pipe(bytes: &[u8]) -> Option<String> {
    let mut pipe = wakegate::audio::RawPcm::new(std::io::Cursor::new(bytes.to_vec()));
    read_all(&mut pipe).err().map(|error| error.to_string())
}

#[test]
fn what_has_no_header_and_is_no_raw_audio_is_refused() {
    let floats =
        |gain: f32| tone().iter().flat_map(|s| (gain * s).to_le_bytes()).collect::<Vec<_>>();
    let doubles: Vec<u8> = tone().iter().flat_map(|&s| f64::from(s).to_le_bytes()).collect();
    let behind_silence = [vec![0; 40_000], floats(0.5)].concat();
    let audio = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/audio");
    let mp3 = fs::read(audio.join("tone.mp3")).unwrap();
    let begin = mp3.windows(2).position(|pair| pair[0] == 0xff && pair[1] & 0xe0 == 0xe0).unwrap();
    let mut packets = Vec::new();
    for count in 0..30_u8 {
        packets.extend([0x47, 0x01, 0x00, 0x10 | count & 15]);
        packets.extend((0..184).map(|at: u8| at.wrapping_mul(count)));
    }
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(4);
    archive.append_data(&mut header, "a.txt", &b"text"[..]).unwrap();
    let spoken = "Das ist kein Ton, sondern Text: äöü.\n";
    let form = RawForm::new("s16le".parse().unwrap(), 16_000, 1).unwrap();
    for (bytes, name) in [
        (floats(1.0), "32-bit floating-point data"),
        (floats(0.001), "32-bit floating-point data"),
        (behind_silence, "32-bit floating-point data"),
        (doubles, "64-bit floating-point data"),
        (mp3[begin..].to_vec(), "MP3 data"),
        (fs::read(audio.join("tone.aac")).unwrap(), "ADTS data"),
        (packets, "MPEG transport stream data"),
        (archive.into_inner().unwrap(), "tar data"),
        (spoken.as_bytes().to_vec(), "text data"),
        (spoken.repeat(1_000).into_bytes(), "text data"),
        (b"{\"path\": \"a.wav\", \"label\": \"alexa\"}\n".to_vec(), "text data"),
    ] {
        let said = told_of_a_pipe(&bytes).unwrap_or_else(|| panic!("{name} is taken for samples"));
        assert!(said.contains(name) && said.contains("hint"), "{name}: {said}");
        let file = FileSource::of_bytes(std::io::Cursor::new(bytes), "a.raw", Some(form));
        let said = file.err().unwrap().to_string();
        assert!(said.contains(name), "{name}: {said}");
    }
}

#[test]
fn true_samples_are_never_taken_for_something_else() {
    let mut state = 1_u32;
    let mut noise = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as i16
    };
    let whole: Vec<i16> = (0..16_000).map(|_| noise()).collect();
    let mut kinds: Vec<(String, Vec<i16>)> = vec![
        ("silence".to_owned(), vec![0; 16_000]),
        ("little noise".to_owned(), whole.iter().map(|&s| s >> 14).collect()),
        ("noise".to_owned(), whole.clone()),
        ("clipped noise".to_owned(), whole.iter().map(|&s| s.saturating_mul(50)).collect()),
        ("positive noise".to_owned(), whole.iter().map(|&s| (s >> 1).abs() | 0x2020).collect()),
        ("8 bits".to_owned(), whole.iter().map(|&s| s & -256).collect()),
        (
            "8 bits twice".to_owned(),
            whole.iter().map(|s| s.wrapping_shr(8).wrapping_mul(0x101)).collect(),
        ),
        ("a step".to_owned(), (0..16_000).map(|n| if n < 3_000 { 0 } else { 0x4747 }).collect()),
        ("a ramp".to_owned(), (0..16_000).map(|n| (n * 4 - 32_000) as i16).collect()),
        // Decoded from G.711: few values, the loud ones far apart.
        (
            "telephony".to_owned(),
            whole.iter().map(|&s| ((s >> 15) * 2 + 1) * ((33 << (s & 7)) - 33) * 4).collect(),
        ),
    ];
    for level in [1, 2, 100, 0x2020, 0x3f80, 12_345, 16_383, 16_400, 0x4747, 32_767] {
        kinds.push((format!("{level} always"), vec![level; 16_000]));
        kinds.push((format!("-{level} always"), vec![-level; 16_000]));
        for period in [1, 2, 4, 47, 94, 188, 1_000] {
            let square = (0..16_000).map(|n| if n / period % 2 == 0 { level } else { -level });
            kinds.push((format!("square {level} {period}"), square.collect()));
            let beside = (0..16_000).map(|n| if n / period % 2 == 0 { 0 } else { level });
            kinds.push((format!("pulses {level} {period}"), beside.collect()));
        }
        for hertz in [50.0, 170.2, 1_000.0, 4_000.0, 7_999.0] {
            let tone = crate::audio::sine(hertz, f64::from(level) / 32_768.0, 16_000, 16_000);
            let tone = tone.iter().map(|s| (s * 32_768.0) as i16);
            kinds.push((format!("tone {level} {hertz}"), tone.clone().collect()));
            kinds.push((
                format!("tone above {level} {hertz}"),
                tone.map(|s| s / 2 + level / 2).collect(),
            ));
        }
    }
    for (name, samples) in kinds {
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        assert_eq!(told_of_a_pipe(&bytes), None, "{name}");
    }
}

#[test]
fn data_as_even_as_noise_of_full_scale_is_told() {
    let mut state = 7_u32;
    let mut next = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u16 as i16
    };
    let data: Vec<i16> = (0..20_000).map(|_| next()).collect();
    let warned = |samples: &[i16]| {
        let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
        let mut pipe = wakegate::audio::RawPcm::new(std::io::Cursor::new(bytes));
        read_all(&mut pipe).unwrap();
        codes(pipe.warnings()).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(warned(&data), ["no_sound"]);
    let loud: Vec<i16> = data.iter().map(|&s| s / 2).collect();
    let clipped: Vec<i16> = data.iter().map(|&s| s.saturating_mul(3)).collect();
    let ramp: Vec<i16> = (0..20_000).map(|n: i32| (n * 13) as i16).collect();
    for sound in [&loud[..], &clipped, &ramp, &[0; 20_000], &data[..1_000]] {
        assert!(warned(sound).is_empty());
    }
}

#[test]
fn samples_of_another_form_on_a_pipe_are_told() {
    let voice: Vec<i16> =
        tone().iter().cycle().take(32_000).map(|s| (s * 32_767.0) as i16).collect();
    let warned = |bytes: Vec<u8>| {
        let mut pipe = wakegate::audio::RawPcm::new(std::io::Cursor::new(bytes));
        read_all(&mut pipe).unwrap();
        codes(pipe.warnings()).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let each =
        |write: fn(i16) -> Vec<u8>| voice.iter().flat_map(|&s| write(s)).collect::<Vec<u8>>();
    assert!(warned(each(|s| s.to_le_bytes().to_vec())).is_empty());
    for other in [
        each(|s| s.to_be_bytes().to_vec()),
        each(|s| vec![((s >> 8) + 128) as u8]),
        each(|s| (i32::from(s) << 16).to_le_bytes().to_vec()),
        each(|s| [s.to_le_bytes(), s.to_le_bytes()].concat()),
    ] {
        assert_eq!(warned(other), ["another_form"]);
    }
}

#[test]
fn a_negative_sample_rate_is_refused() {
    let mut aiff = b"FORM\0\0\0\x3eAIFFCOMM\0\0\0\x12\0\x01\0\0\0\x08\0\x10".to_vec();
    // 16,000 as an extended number of 80 bits.
    aiff.extend(b"\x40\x0c\xfa\0\0\0\0\0\0\0SSND\0\0\0\x18\0\0\0\0\0\0\0\0");
    aiff.extend([0x10; 16]);
    assert_eq!(decode(&aiff).unwrap().0.len(), 8);
    aiff[28] = 0xc0;
    let said = decode(&aiff).unwrap_err().to_string();
    assert!(said.contains("sample rate"), "{said}");
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
