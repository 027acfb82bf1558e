//! Memory does not grow with the length of a recording or of an archive's members.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::cli_support::{package, wakegate};

const RATE: u32 = 48_000;

/// A WAV header for `seconds` of stereo silence, and its length in bytes.
fn header(seconds: u32) -> (Vec<u8>, u64) {
    let data = seconds * RATE * 4;
    let mut header = b"RIFF".to_vec();
    header.extend((36 + data).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    header.extend(RATE.to_le_bytes());
    header.extend((RATE * 4).to_le_bytes());
    header.extend([4, 0, 16, 0]);
    header.extend(b"data");
    header.extend(data.to_le_bytes());
    let length = header.len() as u64 + u64::from(data);
    (header, length)
}

/// Writes the recording as a file, of which the silence takes no room.
fn write_wav(path: &Path, seconds: u32) {
    let (header, length) = header(seconds);
    let mut file = File::create(path).unwrap();
    file.write_all(&header).unwrap();
    file.set_len(length).unwrap();
}

/// Writes the recording as the only member of a tar archive.
fn write_tar(path: &Path, seconds: u32) {
    let (wav, length) = header(seconds);
    let mut header = tar::Header::new_gnu();
    header.set_size(length);
    header.set_path("long.wav").unwrap();
    header.set_cksum();
    let mut file = File::create(path).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(&wav).unwrap();
    file.set_len(512 + length.next_multiple_of(512) + 1024).unwrap();
}

/// The most memory, in KiB, that scoring `input` takes.
fn peak(folder: &Path, input: &str) -> u64 {
    let mut child = wakegate()
        .current_dir(folder)
        .args(["score", "--model", "tiny", "--threads", "1", input])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let ended = loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(found.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(ended.success(), "{input}: {ended}");
    assert!(peak > 0, "no figure");
    peak
}

#[test]
fn a_long_recording_streams() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    package(&path.join("tiny"));
    write_wav(&path.join("short.wav"), 10);
    // 173 MB, and 58 MB as samples at 16 kHz.
    write_wav(&path.join("long.wav"), 900);
    write_tar(&path.join("long.tar"), 900);
    let short = peak(path, "short.wav");
    for input in ["long.wav", "long.tar"] {
        let long = peak(path, input);
        assert!(long < short + 12_000, "{input}: {long} KiB, a short one {short} KiB");
    }
}
