//! Each kind of bad recording, through the binary, with its exact message.

use std::fs;
use std::path::Path;

use crate::cli_support::{json_lines, package, run_in, speech_like, stderr, write_wav};
use serde_json::Value;

/// Scores `name` and gives its line; the exit code must fit it.
fn line(folder: &Path, name: &str) -> Value {
    let output = run_in(folder, &["score", "--model", "tiny", name]);
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 1, "{output:?}");
    let failed = lines[0]["error"].is_string();
    assert_eq!(output.status.code(), Some(i32::from(failed)), "{output:?}");
    assert_eq!(failed, lines[0]["verdict"].is_null(), "{output:?}");
    for warning in lines[0]["warnings"].as_array().into_iter().flatten() {
        let said = format!("warning: {name}: {}\n", warning.as_str().unwrap());
        assert!(stderr(&output).contains(&said), "{output:?}");
    }
    lines.into_iter().next().unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    folder
}

#[test]
fn what_cannot_be_scored_says_why() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let sound = crate::audio::wav_i16(&speech_like(1.0, 1), 1, 16_000);
    let mut nan = speech_like(1.0, 1);
    nan[8_000] = f32::NAN;
    let mut infinite = speech_like(1.0, 1);
    infinite[8_000] = f32::INFINITY;
    fs::write(path("empty.wav"), b"").unwrap();
    fs::write(path("header.wav"), &sound[..43]).unwrap();
    fs::write(path("text.wav"), "dear diary,\ntoday I was overheard\n").unwrap();
    fs::write(path("nan.wav"), crate::audio::wav_f32(&nan, 1, 16_000)).unwrap();
    fs::write(path("infinite.wav"), crate::audio::wav_f32(&infinite, 1, 16_000)).unwrap();
    fs::write(path("none.wav"), crate::audio::wav_i16(&[], 1, 16_000)).unwrap();
    fs::create_dir(path("folder")).unwrap();
    fs::write(path("folder/notes.txt"), "no audio").unwrap();
    for (name, message) in [
        (
            "empty.wav",
            "cannot decode empty.wav: expected audio data, found an empty file (hint: the \
             recording may never have been written)",
        ),
        (
            "header.wav",
            "cannot decode header.wav: the WAV header is cut short: expected at least 44 \
             bytes and a data chunk, found an end after 43 bytes, before the data chunk \
             (hint: record or copy the file again)",
        ),
        (
            "text.wav",
            "cannot decode text.wav: expected audio data, found text (hint: the name may be \
             wrong, or a download saved an error page)",
        ),
        (
            "nan.wav",
            "unusable sample in nan.wav: expected finite samples in range about ±1, found \
             NaN at sample 8000 (0.5000 s) of channel 1 of 1 (hint: the program that wrote \
             the file divided by zero or overflowed)",
        ),
        (
            "infinite.wav",
            "unusable sample in infinite.wav: expected finite samples in range about ±1, \
             found inf at sample 8000 (0.5000 s) of channel 1 of 1 (hint: the program that \
             wrote the file divided by zero or overflowed)",
        ),
        (
            "none.wav",
            "cannot decode none.wav: expected at least 1 sample, found a file that holds no \
             samples (hint: the recording may have been stopped before it was written)",
        ),
        (
            "folder",
            "no audio files in folder folder: expected files ending in 3gp, aac, aif, aifc, aiff, \
             amr, ape, au, bwf, caf, flac, m4a, m4b, mka, mov, mp2, mp3, mp4, oga, ogg, opus, rf64, \
             snd, sph, spx, w64, wav, wave, weba, webm, wma, wv, found none, subfolders \
             included (hint: a file with another ending is scored when it is named itself)",
        ),
        (
            "missing.wav",
            "no such file or folder: missing.wav (hint: check the path; relative paths \
             start at the working folder)",
        ),
    ] {
        let line = line(folder.path(), name);
        assert_eq!(line["error"], message, "{name}");
    }
}

#[test]
fn what_is_odd_but_decodes_is_scored() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let speech = speech_like(2.0, 1);
    write_wav(&path("10ms.wav"), &speech[..160]);
    write_wav(&path("silence.wav"), &vec![0.0; 16_000]);
    let wide: Vec<f32> = (0..8 * 192_000).map(|n| speech[n / 96] * 0.5).collect();
    fs::write(path("8ch.wav"), crate::audio::wav_f32(&wide, 8, 192_000)).unwrap();
    for (name, seconds) in [("10ms.wav", 0.01), ("silence.wav", 1.0), ("8ch.wav", 1.0)] {
        let line = line(folder.path(), name);
        assert_eq!(line["audio_s"], seconds, "{line}");
        assert!(line["p_intended"].is_number() && line["warnings"].is_null(), "{line}");
    }
}

#[test]
fn a_truncated_flac_gives_what_decodes_and_says_so() {
    let folder = folder();
    let whole = crate::audio::flac(&speech_like(3.0, 3), 1, 16_000);
    fs::write(folder.path().join("cut.flac"), &whole[..whole.len() / 2]).unwrap();
    let line = line(folder.path(), "cut.flac");
    let seconds = line["audio_s"].as_f64().unwrap();
    assert!((0.5..2.9).contains(&seconds), "{line}");
    assert_eq!(
        line["warnings"],
        serde_json::json!([
            "cut_short: the file is cut short: its header promises 3.000 s, it holds 1.408 s"
        ])
    );
}
