//! `--ffmpeg`: what no reader knows, read by the ffmpeg that is there; and only where it is asked for.

use std::fs;
use std::path::Path;

use crate::cli_support::{checkout, json_lines, run_in, stderr, wakegate};

/// A folder with recordings that ffmpeg knows; none where it is not installed, which is told.
fn folder(test: &str) -> Option<tempfile::TempDir> {
    if std::process::Command::new("ffmpeg").arg("-version").output().is_err() {
        crate::skip::skipped(&format!("cli_ffmpeg::{test}"), "ffmpeg is not installed");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    for name in ["wavpack.wv", "speex.spx"] {
        let from = checkout(&format!("tests/data/forms/{name}"));
        fs::copy(from, folder.path().join(name)).unwrap();
    }
    fs::copy(checkout("data/alexa_lights.flac"), folder.path().join("a.flac")).unwrap();
    Some(folder)
}

#[test]
fn it_is_off_by_default_and_the_refusal_says_that_it_is_there() {
    let Some(folder) = folder("it_is_off_by_default_and_the_refusal_says_that_it_is_there") else {
        return;
    };
    let output = run_in(folder.path(), &["score", "wavpack.wv", "a.flac"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines = json_lines(&output);
    let error = lines[0]["error"].as_str().unwrap();
    assert!(error.contains("found WavPack (hint: ") && error.contains("--ffmpeg"), "{error}");
    assert!(lines[1].get("decoder").is_none());
}

#[test]
fn what_is_not_known_is_judged_and_the_record_says_by_what_it_was_decoded() {
    let Some(folder) =
        folder("what_is_not_known_is_judged_and_the_record_says_by_what_it_was_decoded")
    else {
        return;
    };
    let folder = folder.path();
    let judged = |arguments: &[&str]| {
        let output = run_in(folder, arguments);
        assert!(output.status.success(), "{output:?}");
        json_lines(&output)
    };
    let lines = judged(&["score", "--ffmpeg", "wavpack.wv", "speex.spx", "a.flac"]);
    let decoders: Vec<_> = lines.iter().map(|line| line["decoder"].as_str()).collect();
    assert_eq!(decoders, [Some("ffmpeg"), Some("ffmpeg"), None]);
    // WavPack keeps every sample: it is the recording.
    let (got, whole) = (&lines[0], &lines[2]);
    assert_eq!(got["verdict"], "intended", "{got}");
    let end = |line: &serde_json::Value| line["end_s"].as_f64().unwrap();
    assert!((end(got) - end(whole)).abs() < 0.05, "{got} {whole}");
    assert!((got["audio_s"].as_f64().unwrap() - 2.2).abs() < 0.01, "{got}");
    // By the settings; in a table; and of a stream.
    fs::write(folder.join("a.toml"), "[decode]\nffmpeg = true\n").unwrap();
    let settings = ["--config", "a.toml"];
    assert_eq!(judged(&[&["score", "wavpack.wv"], &settings[..]].concat()), lines[..1]);
    let table = run_in(folder, &["score", "--ffmpeg", "--format", "csv", "wavpack.wv", "a.flac"]);
    let text = String::from_utf8(table.stdout).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let column = rows[0].iter().position(|name| *name == "decoder").unwrap();
    assert_eq!((rows[1][column], rows[2][column]), ("ffmpeg", ""));
    let heard = judged(&["listen", "--ffmpeg", "--input", "wavpack.wv"]);
    assert_eq!(heard[0]["verdict"], "intended");
}

#[test]
fn members_of_archives_are_handed_over_in_memory() {
    let Some(folder) = folder("members_of_archives_are_handed_over_in_memory") else { return };
    let bytes = fs::read(folder.path().join("wavpack.wv")).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    tar.append_data(&mut header, "a.wv", bytes.as_slice()).unwrap();
    let tar = tar.into_inner().unwrap();
    fs::write(folder.path().join("s.tar"), &tar).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &tar).unwrap();
    fs::write(folder.path().join("s.tgz"), gzip.finish().unwrap()).unwrap();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("a.wv", zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut zip, &bytes).unwrap();
    fs::write(folder.path().join("s.zip"), zip.finish().unwrap().into_inner()).unwrap();
    let arguments = ["score", "--ffmpeg", "wavpack.wv", "s.tar", "s.tgz", "s.zip"];
    let lines = json_lines(&run_in(folder.path(), &arguments));
    assert_eq!(lines.len(), 4);
    for line in &lines {
        assert_eq!((&line["decoder"], &line["verdict"]), (&"ffmpeg".into(), &"intended".into()));
        assert_eq!(line["p_intended"], lines[0]["p_intended"]);
    }
}

#[test]
fn what_ffmpeg_does_not_know_either_is_refused_with_both_reasons() {
    let Some(folder) = folder("what_ffmpeg_does_not_know_either_is_refused_with_both_reasons")
    else {
        return;
    };
    let folder = folder.path();
    let noise: Vec<u8> = (0..20_000_u32).map(|n| ((n * n) >> 3) as u8 & 0x7f | 1).collect();
    fs::write(folder.join("noise.xyz"), noise).unwrap();
    fs::write(folder.join("list.m3u8"), "#EXTM3U\n#EXTINF:2,\na.flac\n").unwrap();
    fs::write(folder.join("list.wav"), "#EXTM3U\n#EXTINF:2,\na.flac\n\0\0").unwrap();
    let lines =
        json_lines(&run_in(folder, &["score", "--ffmpeg", "noise.xyz", "list.m3u8", "list.wav"]));
    let errors: Vec<&str> = lines.iter().map(|line| line["error"].as_str().unwrap()).collect();
    assert!(errors[0].contains("no known audio format; ffmpeg can't decode it: "), "{errors:?}");
    for error in &errors[1..] {
        assert!(error.contains("a list of other files"), "{error}");
    }
    // Where there is none, that is said before the first recording.
    let output = wakegate()
        .current_dir(folder)
        .env("PATH", "/nowhere")
        .args(["score", "--ffmpeg", "a.flac"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains("expected a program ffmpeg on the PATH"), "{output:?}");
}

#[test]
fn it_has_no_network() {
    let Some(folder) = folder("it_has_no_network") else { return };
    let unshared = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .output();
    if !unshared.is_ok_and(|output| output.status.success()) {
        crate::skip::skipped(
            "cli_ffmpeg::it_has_no_network",
            "no network namespace can be made here",
        );
        return;
    }
    // A program in ffmpeg's place tells which devices it sees: the loopback, which is down.
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    let text = "#!/bin/sh\n[ \"$1\" = -version ] && exit 0\n\
                echo seen $(tail -n +3 /proc/self/net/dev | cut -d: -f1) >&2\nexit 1\n";
    fs::write(tools.join("ffmpeg"), text).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(tools.join("ffmpeg"), mode).unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = wakegate()
        .current_dir(folder.path())
        .env("PATH", format!("{}:{path}", Path::new(&tools).display()))
        .args(["score", "--ffmpeg", "wavpack.wv"])
        .output()
        .unwrap();
    let error = json_lines(&output)[0]["error"].as_str().unwrap().to_owned();
    assert!(error.ends_with("seen lo"), "{error}");
}
