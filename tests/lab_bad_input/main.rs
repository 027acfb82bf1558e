//! Bad audio: each kind with its exact message, and no panic whatever the bytes.

#[path = "../support/audio.rs"]
mod audio;
#[path = "../support/cli/mod.rs"]
mod cli_support;
mod decoders;
#[path = "../support/fuzz/mod.rs"]
mod fuzz_support;
#[path = "../support/skip.rs"]
mod skip;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use audio::{Wav, decode, flac, opus, sine, wav_f32, wav_i16};
use tempfile::TempDir;
use wakegate::ErrorKind;
use wakegate::audio::Source;
use wakegate_lab::decode::{FileSource, find_audio};

/// Counts what a thread holds, so that a damaged length field that is believed shows.
struct Watched;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The most bytes that this thread holds at a time, beyond what it holds now, while it does `what`.
fn most_held(what: impl FnOnce()) -> usize {
    let before = HELD.get();
    MOST.set(before);
    what();
    (MOST.get() - before).unsigned_abs()
}

// SAFETY: all calls are handed to the system's allocator unchanged; counting neither allocates nor
// panics.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.set(HELD.get().wrapping_add_unsigned(layout.size()));
        MOST.set(MOST.get().max(HELD.get()));
        // SAFETY: the caller keeps the allocator's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub_unsigned(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

const FORMATS: &str =
    "WAV, AIFF, AU, SPHERE, FLAC, MP3, AAC, M4A, CAF, WebM, Ogg Vorbis or Ogg Opus";

/// What helps where a form is not known.
const HINT: &str = " (hint: an ffmpeg that you have may read it: --ffmpeg hands it over, or make a \
                    WAV of it with `ffmpeg -i FILE FILE.wav`)";

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The error of a file with `bytes`, the path in it shown as `PATH`.
    fn error(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.file(name, bytes);
        let error = decode(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Audio);
        error.to_string().replace(&path.display().to_string(), "PATH")
    }
}

fn tone() -> Vec<f32> {
    sine(440.0, 0.5, 16_000, 16_000)
}

#[test]
fn an_empty_file() {
    assert_eq!(
        Folder::new().error("a.wav", b""),
        "cannot decode PATH: expected audio data, found an empty file \
         (hint: the recording may never have been written)"
    );
}

#[test]
fn a_text_file_named_wav() {
    let wanted = "cannot decode PATH: expected audio data, found text \
                  (hint: the name may be wrong, or a download saved an error page)";
    assert_eq!(Folder::new().error("a.wav", b"<html>\n404 Not Found</html>\n"), wanted);
    // The window may end in the middle of a character.
    assert_eq!(Folder::new().error("a.wav", "é".repeat(5_000).as_bytes()), wanted);
    assert_eq!(Folder::new().error("a.wav", ["x", &"é".repeat(5_000)].concat().as_bytes()), wanted);
}

#[test]
fn a_file_of_another_kind() {
    let bytes: Vec<u8> = (0..20_000u32).map(|i| ((i * i) >> 3) as u8 & 0x7f).collect();
    assert_eq!(
        Folder::new().error("a.wav", &bytes),
        format!("cannot decode PATH: expected {FORMATS}, found no known audio format{HINT}")
    );
}

#[test]
fn a_wav_header_cut_short() {
    let wav = wav_i16(&tone(), 1, 16_000);
    for (length, before) in [
        (5, "its first 12 bytes"),
        (13, "the data chunk"),
        (30, "the end of the format chunk"),
        (43, "the data chunk"),
    ] {
        assert_eq!(
            Folder::new().error("a.wav", &wav[..length]),
            format!(
                "cannot decode PATH: the WAV header is cut short: expected at least 44 bytes and \
                 a data chunk, found an end after {length} bytes, before {before} \
                 (hint: record or copy the file again)"
            )
        );
    }
}

#[test]
fn no_channels_and_no_rate() {
    let wav = |channels, rate| Wav { format: 1, channels, rate, bits: 16, data: &[0; 64] }.bytes();
    assert_eq!(
        Folder::new().error("a.wav", &wav(0, 16_000)),
        "cannot decode PATH: unusable channel count: expected at least 1 channel, found 0 channels"
    );
    assert_eq!(
        Folder::new().error("a.wav", &wav(1, 0)),
        "cannot decode PATH: unusable sample rate: expected 2000 to 384000 Hz, found 0 Hz"
    );
}

#[test]
fn no_samples() {
    let wanted = "cannot decode PATH: expected at least 1 sample, found a file that holds no \
                  samples (hint: the recording may have been stopped before it was written)";
    assert_eq!(Folder::new().error("a.wav", &wav_i16(&[], 1, 16_000)), wanted);
    assert_eq!(Folder::new().error("a.wav", &wav_i16(&tone(), 1, 16_000)[..44]), wanted);
}

#[test]
fn samples_that_are_no_numbers() {
    for (value, text) in [(f32::NAN, "NaN"), (f32::NEG_INFINITY, "-inf"), (1e30, "1e30")] {
        let mut samples = vec![0.25; 2 * 8_000];
        samples[2 * 4_000 + 1] = value;
        let text = if text == "1e30" { format!("{value}") } else { text.to_owned() };
        assert_eq!(
            Folder::new().error("a.wav", &wav_f32(&samples, 2, 8_000)),
            format!(
                "unusable sample in PATH: expected finite samples in range about ±1, found {text} \
                 at sample 4000 (0.5000 s) of channel 2 of 2 \
                 (hint: the program that wrote the file divided by zero or overflowed)"
            )
        );
    }
}

#[test]
fn the_error_comes_again_and_after_what_is_good() {
    let mut samples = tone();
    samples[8_000] = f32::NAN;
    let folder = Folder::new();
    let mut source = FileSource::open(folder.file("a.wav", &wav_f32(&samples, 1, 16_000))).unwrap();
    let mut block = vec![0.0; 16_000];
    let good = source.read(&mut block).unwrap();
    assert!((1..=8_000).contains(&good));
    assert_eq!(block[..good], samples[..good]);
    let first = source.read(&mut block).unwrap_err();
    assert_eq!(source.read(&mut block).unwrap_err(), first);
}

#[test]
fn a_wav_shorter_than_its_header_says() {
    let wav = wav_i16(&tone(), 1, 16_000);
    let path = Folder::new();
    let (got, warnings) = decode(&path.file("a.wav", &wav[..44 + 2 * 4_000])).unwrap();
    assert_eq!(got, decode(&path.file("b.wav", &wav)).unwrap().0[..4_000]);
    assert_eq!(warnings, ["the file is cut short: its header promises 1.000 s, it holds 0.250 s"]);
}

#[test]
fn a_flac_cut_short() {
    let bytes = flac(&tone(), 1, 16_000);
    let folder = Folder::new();
    let whole = decode(&folder.file("b.flac", &bytes)).unwrap().0;
    let (got, warnings) = decode(&folder.file("a.flac", &bytes[..bytes.len() / 2])).unwrap();
    assert!((4_096..12_000).contains(&got.len()), "{} samples", got.len());
    assert_eq!(got, whole[..got.len()]);
    let held = got.len() as f64 / 16_000.0;
    assert_eq!(
        warnings,
        [format!("the file is cut short: its header promises 1.000 s, it holds {held:.3} s")]
    );
}

#[test]
fn a_flac_damaged_in_the_middle_keeps_its_time() {
    let mut bytes = flac(&tone(), 1, 16_000);
    let folder = Folder::new();
    let whole = decode(&folder.file("b.flac", &bytes)).unwrap().0;
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].fill(0x55);
    let (got, warnings) = decode(&folder.file("a.flac", &bytes)).unwrap();
    assert_eq!(got.len(), whole.len());
    let wrong: Vec<usize> = (0..got.len()).filter(|&i| got[i] != whole[i]).collect();
    let (from, to) = (wrong[0] / 1_024 * 1_024, wrong[wrong.len() - 1]);
    assert!(to - from < 1_024, "more than one block is lost: {from} to {to}");
    assert!(got[from..from + 1_024].iter().all(|&s| s == 0.0));
    assert_eq!(
        warnings,
        [format!(
            "about 1 packet lost, 0.064 s in 1 place, the first at {:.3} s: silence stands in",
            from as f64 / 16_000.0
        )]
    );
}

#[test]
fn an_ogg_cut_short() {
    let bytes = opus(&tone(), 1, 0, 10);
    let folder = Folder::new();
    let (got, warnings) = decode(&folder.file("a.opus", &bytes[..bytes.len() - 400])).unwrap();
    let held = got.len() as f64 / 16_000.0;
    assert!(held > 0.5, "{held} s");
    assert_eq!(
        warnings,
        [format!("the file is cut short: it breaks off at {held:.3} s, before its end")]
    );
}

#[test]
fn paths_that_name_no_audio() {
    let folder = Folder::new();
    fs::create_dir(folder.0.path().join("empty")).unwrap();
    let (missing, empty) = (Path::new("no/such.wav"), folder.0.path().join("empty"));
    let good = folder.file("a.wav", &wav_i16(&tone(), 1, 16_000));
    let found = find_audio(&[missing, empty.as_path(), good.as_path()]);
    let problems: Vec<_> =
        found.iter().map(|f| f.problem.as_ref().map(ToString::to_string)).collect();
    let no_such = "no such file or folder: no/such.wav \
                   (hint: check the path; relative paths start at the working folder)";
    assert_eq!(
        problems,
        [
            Some(no_such.to_owned()),
            Some(format!(
                "no audio files in folder {}: expected files ending in 3gp, aac, aif, aifc, aiff, \
                 amr, ape, au, bwf, caf, flac, m4a, m4b, mka, mov, mp2, mp3, mp4, oga, ogg, opus, \
                 rf64, snd, sph, spx, w64, wav, wave, weba, webm, wma, wv, found none, subfolders included \
                 (hint: a file with another ending is scored when it is named itself)",
                empty.display()
            )),
            None,
        ]
    );
    assert_eq!(FileSource::open(missing).err().unwrap().to_string(), no_such);
    assert_eq!(
        FileSource::open(&empty).err().unwrap().to_string(),
        format!("cannot read {}: expected an audio file, found a folder", empty.display())
    );
}

#[cfg(unix)]
#[test]
fn a_broken_link_and_a_loop_of_links_in_a_folder() {
    let folder = Folder::new();
    std::os::unix::fs::symlink(folder.0.path(), folder.0.path().join("loop")).unwrap();
    std::os::unix::fs::symlink("gone", folder.0.path().join("b.wav")).unwrap();
    folder.file("a.wav", &wav_i16(&tone(), 1, 16_000));
    let found = find_audio(&[folder.0.path()]);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].problem, None);
    assert_eq!(
        found[1].problem.as_ref().unwrap().to_string(),
        format!("cannot read {}: No such file or directory (os error 2)", found[1].path.display())
    );
}
