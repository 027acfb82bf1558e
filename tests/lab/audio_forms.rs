//! Files as programs write them, whole and damaged: nothing is judged that was not recorded, and
//! nothing that was is left out without a word.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use wakegate::Result;
use wakegate::audio::{Channel, Source, Warning, read_all};
use wakegate_lab::decode::{FileSource, RawForm};

use crate::audio::{flac, sine, snr_db, wav_i16};

const RATE: usize = 16_000;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/forms").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(path(name)).unwrap()
}

/// Samples and warnings of a file with these bytes.
fn decode(bytes: &[u8]) -> Result<(Vec<f32>, Vec<Warning>)> {
    let mut source = FileSource::of_bytes(std::io::Cursor::new(bytes.to_vec()), "PATH", None)?;
    let samples = read_all(&mut source)?;
    Ok((samples, source.warnings().to_vec()))
}

fn seconds(samples: &[f32]) -> f64 {
    samples.len() as f64 / RATE as f64
}

fn codes(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.code.as_ref()).collect()
}

fn error(bytes: &[u8]) -> String {
    decode(bytes).err().map(|error| error.to_string()).unwrap_or_default()
}

/// The 2.2 s that most of the files hold.
fn lights() -> Vec<f32> {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/alexa_lights.flac");
    let mut samples = read_all(&mut FileSource::open(whole).unwrap()).unwrap();
    samples.truncate(35_200);
    samples
}

/// By how many samples `got` is late against `wanted`, at most `reach` either way.
fn lag(wanted: &[f32], got: &[f32], reach: i64) -> i64 {
    let at = |samples: &[f32], place: i64| {
        usize::try_from(place).ok().and_then(|p| samples.get(p)).copied().unwrap_or(0.0)
    };
    let alike = |lag: i64| -> f64 {
        (0..wanted.len() as i64)
            .step_by(3)
            .map(|n| f64::from(at(wanted, n)) * f64::from(at(got, n + lag)))
            .sum()
    };
    (-reach..=reach).max_by(|a, b| alike(*a).total_cmp(&alike(*b))).unwrap()
}

fn chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

fn wave(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = chunks.concat();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((4 + body.len() as u32).to_le_bytes());
    bytes.extend(b"WAVE");
    bytes.extend(body);
    bytes
}

/// A format chunk of one channel at 16 kHz.
fn format(tag: u16, bits: u16, block: u16) -> Vec<u8> {
    let mut body = Vec::new();
    for field in [tag, 1] {
        body.extend(field.to_le_bytes());
    }
    body.extend((RATE as u32).to_le_bytes());
    body.extend((RATE as u32 * u32::from(block)).to_le_bytes());
    body.extend(block.to_le_bytes());
    body.extend(bits.to_le_bytes());
    chunk(b"fmt ", &body)
}

fn tone() -> Vec<f32> {
    sine(440.0, 0.5, RATE as u32, RATE)
}

fn sixteen(samples: &[f32]) -> Vec<u8> {
    wav_i16(samples, 1, RATE as u32)[44..].to_vec()
}

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
    let _ = decode(&bytes("vorbis_panic.ogg"));
}

#[test]
fn headers_of_streams_and_of_recorders_that_were_killed_go_to_the_end() {
    let whole = wav_i16(&tone(), 1, RATE as u32);
    let wanted = decode(&whole).unwrap().0;
    for (riff, data) in [
        (0_u32, 0_u32),
        (36, 0),
        (0, 2 * RATE as u32),
        (0x7fff_ffff, 0x7fff_ffff),
        (0xffff_ffff, 0xffff_ffff),
        (0x7fff_f024, 0x7fff_f000),
        (0x8000_0024, 0x8000_0000),
    ] {
        let mut bytes = whole.clone();
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        bytes[40..44].copy_from_slice(&data.to_le_bytes());
        assert_eq!(decode(&bytes).unwrap(), (wanted.clone(), vec![]), "{riff:#x} {data:#x}");
    }
    // Nothing but a header is nothing but a header.
    assert!(error(&whole[..44]).contains("a file that holds no samples"));
    let empty =
        wave(&[format(1, 16, 2), chunk(b"data", &[]), chunk(b"LIST", b"INFOISFT\x02\0\0\0x\0")]);
    assert!(error(&empty).contains("a file that holds no samples"));
}

#[test]
fn more_samples_than_the_header_promises_are_read_and_told() {
    let data = sixteen(&tone());
    let mut small = wave(&[format(1, 16, 2), chunk(b"data", &data)]);
    small[40..44].copy_from_slice(&8_000_u32.to_le_bytes());
    let (got, warnings) = decode(&small).unwrap();
    assert_eq!((got.len(), codes(&warnings)), (RATE, vec!["more_than_promised"]));
    assert!(warnings[0].text.contains("24000 more follow"), "{warnings:?}");
    let two =
        wave(&[format(1, 16, 2), chunk(b"data", &data[..8_000]), chunk(b"data", &data[8_000..])]);
    let (got, warnings) = decode(&two).unwrap();
    assert_eq!((got.len(), codes(&warnings)), (RATE, vec!["more_than_promised"]));
    // Metadata behind them is none, nor is what fills the file up.
    let tagged = wave(&[
        format(1, 16, 2),
        chunk(b"data", &data),
        chunk(b"LIST", b"INFO"),
        chunk(b"id3 ", &[1; 31]),
    ]);
    assert_eq!(codes(&decode(&tagged).unwrap().1), [""; 0]);
    let padded = [wav_i16(&tone(), 1, 16_000), vec![0; 3_000]].concat();
    let (got, warnings) = decode(&padded).unwrap();
    assert_eq!((got.len(), warnings), (RATE, vec![]));
}

#[test]
fn odd_headers_are_read() {
    let data = sixteen(&tone());
    let wanted = decode(&wav_i16(&tone(), 1, 16_000)).unwrap().0;
    let mut long = format(1, 16, 2);
    long.extend([0; 4]);
    long[4] = 20;
    let odd = [
        ("fmt of 20 bytes", wave(&[long, chunk(b"data", &data)])),
        (
            "a late fmt",
            wave(&[chunk(b"JUNK", &[0; 8_000]), format(1, 16, 2), chunk(b"data", &data)]),
        ),
        (
            "a bad LIST",
            wave(&[
                format(1, 16, 2),
                chunk(b"LIST", b"INFOICRDISFTxxxxxxxxxxxxxx"),
                chunk(b"data", &data),
            ]),
        ),
        (
            "ID3 in front",
            [b"ID3\x04\0\0\0\0\x02\x00".to_vec(), vec![7; 256], wav_i16(&tone(), 1, 16_000)]
                .concat(),
        ),
        ("ID3v1 behind", [wav_i16(&tone(), 1, 16_000), b"TAG".to_vec(), vec![b' '; 125]].concat()),
    ];
    for (name, bytes) in odd {
        assert_eq!(decode(&bytes).unwrap(), (wanted.clone(), vec![]), "{name}");
    }
    let big: Vec<u8> = data.as_chunks::<2>().0.iter().flat_map(|b| [b[1], b[0]]).collect();
    let mut rifx =
        b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10\0\x01\0\x01\0\0\x3e\x80\0\0\x7d\0\0\x02\0\x10data"
            .to_vec();
    rifx.extend((big.len() as u32).to_be_bytes());
    rifx.extend(&big);
    assert_eq!(decode(&rifx).unwrap(), (wanted.clone(), vec![]));
    let mut rf64 = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    for size in [0_u64, data.len() as u64, RATE as u64] {
        rf64.extend(size.to_le_bytes());
    }
    rf64.extend([0; 4]);
    rf64.extend(format(1, 16, 2));
    rf64.extend(b"data\xff\xff\xff\xff");
    rf64.extend(&data);
    assert_eq!(decode(&rf64).unwrap(), (wanted.clone(), vec![]));
    let mut au = b".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\x03\0\0\x3e\x80\0\0\0\x01".to_vec();
    au.extend(&big);
    assert_eq!(decode(&au).unwrap(), (wanted.clone(), vec![]));
    let mut sphere =
        b"NIST_1A\n   1024\nsample_count -i 16000\nsample_rate -i 16000\nchannel_count -i 1\n\
        sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_coding -s3 pcm\nend_head\n"
            .to_vec();
    sphere.resize(1_024, b' ');
    sphere.extend(&data);
    assert_eq!(decode(&sphere).unwrap(), (wanted, vec![]));
}

#[test]
fn twenty_four_bits_lie_where_they_lie() {
    let wide: Vec<i32> = tone().iter().map(|s| (s * 8_388_607.0) as i32).collect();
    let high: Vec<u8> = wide.iter().flat_map(|v| (v << 8).to_le_bytes()).collect();
    let low: Vec<u8> = wide.iter().flat_map(|v| v.to_le_bytes()).collect();
    for data in [high, low] {
        let (got, warnings) = decode(&wave(&[format(1, 24, 4), chunk(b"data", &data)])).unwrap();
        assert!(warnings.is_empty() && snr_db(&tone(), &got) > 80.0, "{warnings:?}");
    }
    // QuickTime's are big-endian unless it says otherwise.
    let (got, warnings) = decode(&bytes("s24be.mov")).unwrap();
    assert!(warnings.is_empty() && snr_db(&lights(), &got) > 60.0, "{warnings:?}");
    let (got, warnings) = decode(&bytes("mulaw.mov")).unwrap();
    assert!(warnings.is_empty() && snr_db(&lights(), &got) > 20.0, "{warnings:?}");
}

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
fn metadata_is_passed_over_whatever_it_holds() {
    let (got, warnings) = decode(&bytes("id3_utf16.mp3")).unwrap();
    assert!(got.len() > 60_000 && warnings.is_empty(), "{warnings:?}");
    let plain = flac(&tone(), 1, 16_000);
    let wanted = decode(&plain).unwrap();
    let id3 = [b"ID3\x03\0\0\0\x02\0\0".to_vec(), vec![b'x'; 32_768]].concat();
    let trailing = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    assert_eq!(decode(&[id3, plain.clone()].concat()).unwrap(), wanted);
    assert_eq!(decode(&[plain.clone(), trailing].concat()).unwrap(), wanted);
    // A cue sheet that is no CD's, as the first block behind the header.
    let mut cue = plain[..42].to_vec();
    cue[4] &= 0x7f;
    cue.extend([0x05, 0, 1, 0x8c + 36]);
    cue.extend([0; 396 + 36]);
    let rest = if plain[4] & 0x80 == 0 {
        plain[42..].to_vec()
    } else {
        [vec![0x81, 0, 0, 0], plain[42..].to_vec()].concat()
    };
    cue.extend(rest);
    assert_eq!(decode(&cue).unwrap().0.len(), RATE);
}

#[test]
fn mp4_says_where_the_recording_begins() {
    let (got, warnings) = decode(&bytes("opus_in_mp4.mp4")).unwrap();
    let (ogg, _) = decode(&bytes("opus_in_ogg.opus")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(lag(&ogg, &got, 400).abs() <= 8, "{}", lag(&ogg, &got, 400));
    let (got, _) = decode(&bytes("edit_list_1s.m4a")).unwrap();
    let late = lag(&lights(), &got[16_000 - 400..], 400) - 400;
    assert!(late.abs() <= 16, "{late} samples from 1 s");
    let (got, warnings) = decode(&bytes("flac.mka")).unwrap();
    assert!(warnings.is_empty() && snr_db(&lights(), &got) > 80.0, "{warnings:?}");
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
