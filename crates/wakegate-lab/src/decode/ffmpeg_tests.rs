//! Programs in ffmpeg's place, and what comes of them.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::decode::FileSource;
use wakegate::audio::{Source, read_all};

/// The header of a mono stream at 16 kHz.
const AU: &str = r"printf '.snd\0\0\0\030\377\377\377\377\0\0\0\006\0\0\076\200\0\0\0\001'";

/// What comes of a file of 100 bytes with a program that does `what` in ffmpeg's place: seconds
/// and warnings.
fn with(what: &str) -> Result<(f64, Vec<String>)> {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("ffmpeg");
    std::fs::write(&program, format!("#!/bin/sh\n{what}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ffmpeg = Ffmpeg { program, offline: &[] };
    let file = in_memory([7; 100].as_slice()).unwrap();
    let mut source = FileSource::of_ffmpeg(&ffmpeg, file, "a.x")?;
    assert_eq!(source.decoder(), Some("ffmpeg"));
    let samples = read_all(&mut source)?;
    let seconds = samples.len() as f64 / 16_000.0;
    Ok((seconds, source.warnings().iter().map(ToString::to_string).collect()))
}

#[test]
fn what_it_writes_is_the_recording_and_what_it_says_a_warning() {
    let second = "head -c 64000 /dev/zero";
    assert_eq!(with(&format!("{AU}; {second}")).unwrap(), (1.0, vec![]));
    let (seconds, warnings) = with(&format!("{AU}; {second}; echo odd >&2")).unwrap();
    assert_eq!((seconds, warnings), (1.0, vec!["ffmpeg: ffmpeg says: odd".to_owned()]));
    let (_, warnings) = with(&format!("{AU}; {second}; exit 3")).unwrap();
    assert!(warnings[0].contains("exit status: 3"), "{warnings:?}");
    // However much it says, it is not held up by it, and told once.
    let loud = "yes 'a b' | head -c 4000000 >&2";
    let (seconds, warnings) = with(&format!("{AU}; {loud}; {second}")).unwrap();
    assert_eq!((seconds, warnings), (1.0, vec!["ffmpeg: ffmpeg says: a b".to_owned()]));
}

#[test]
fn what_it_can_not_read_is_refused_with_its_reason() {
    let refused = |what: &str| with(what).unwrap_err().to_string();
    assert!(refused("echo 'no such codec' >&2; exit 1").ends_with("no such codec"));
    assert!(refused("exit 0").ends_with("no sound in it"));
    assert!(refused("echo WAVE; exit 1").ends_with("exit status: 1"));
    // Its words may be the file's: no escapes of a terminal, and not without end.
    let said = refused("printf '\\033[2Jx%0500d' 7 >&2; exit 1");
    assert!(!said.contains('\u{1b}') && said.len() < 250, "{said:?}");
}

#[test]
fn its_time_its_output_and_its_files_have_limits() {
    let start = std::time::Instant::now();
    let said = with("sleep 1000").unwrap_err().to_string();
    assert!(said.contains("gave nothing for 2 s"), "{said}");
    let (seconds, warnings) = with(&format!("{AU}; head -c 64000 /dev/zero; sleep 1000")).unwrap();
    assert!(seconds > 0.5 && warnings[0].contains("gave nothing for 2 s"), "{warnings:?}");
    let (seconds, warnings) = with(&format!("{AU}; cat /dev/zero")).unwrap();
    assert!((15.0..17.0).contains(&seconds), "{seconds}");
    assert!(warnings[0].contains("more than 1000 times its size"), "{warnings:?}");
    assert!(start.elapsed().as_secs() < 60);
    // It writes to the pipe alone, finds no environment, and only the file as its input.
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    let write = format!("echo x > {}; exit 1", there.display());
    with(&write).unwrap_err();
    assert!(std::fs::read(&there).unwrap_or_default().is_empty());
    let own = "env | grep -vcE '^(PATH|PWD|OLDPWD|SHLVL|_)=' >&2; exit 1";
    assert!(with(own).unwrap_err().to_string().ends_with(": 0"));
    assert!(with("wc -c >&2; exit 1").unwrap_err().to_string().ends_with("100"));
}

#[test]
fn lists_of_other_files_are_not_handed_on() {
    let ffmpeg = Ffmpeg { program: "/bin/true".into(), offline: &[] };
    for list in [
        &b"#EXTM3U\nfile:///etc/a.wav\n\0\0\xff"[..],
        b"ffconcat version 1.0\nfile a.wav\n\xff",
        b"\0\0<MPD type=\"static\">",
        b"plain text\n",
    ] {
        let file = in_memory(list).unwrap();
        let said = FileSource::of_ffmpeg(&ffmpeg, file, "a.x").err().unwrap().to_string();
        assert!(said.contains("text, or a list of other files"), "{said}");
    }
}
