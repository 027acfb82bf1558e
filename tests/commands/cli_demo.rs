//! `wakegate demo` through the binary.

use std::fs;

use crate::cli_support::{edit_manifest, package, run_in, speech_like, stderr, write_wav};

const MANIFEST: &str = "file\texpected\tkind\ttext\n\
    word.wav\tintended\taddress\tTiny!\n\
    quiet.wav\taccidental\tnoise\t(silence)\n";

#[test]
fn the_table_says_what_would_have_reached_a_reviewer() {
    let folder = tempfile::tempdir().unwrap();
    let package_folder = folder.path().join("tiny");
    package(&package_folder);
    edit_manifest(&package_folder, "intended_at = 0.5", "intended_at = 0.3");
    fs::create_dir(folder.path().join("data")).unwrap();
    fs::write(folder.path().join("data/manifest.tsv"), MANIFEST).unwrap();
    write_wav(&folder.path().join("data/word.wav"), &speech_like(1.6, 0));
    write_wav(&folder.path().join("data/quiet.wav"), &vec![0.0; 16_000]);
    let output = run_in(folder.path(), &["demo", "--model", "tiny"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "file       said       verdict     reason         p_intended");
    assert!(lines[1].starts_with("word.wav   Tiny!      intended    intended       ██"), "{text}");
    assert!(lines[2].starts_with("quiet.wav  (silence)  accidental  not_wake_word  "), "{text}");
    assert_eq!(
        lines[3..],
        [
            "",
            "2 of 2 recordings judged as expected.",
            "Would have reached a reviewer for \"tiny\":",
            "  wakegate: 1 clip, 0 of them accidental; 0 of 1 requests missed",
        ],
        "{text}"
    );
    let peer = |text: &str| fs::write(folder.path().join("data/peer.tsv"), text).unwrap();
    peer("file\tEngine 2.5\nword.wav\tsleeps\nquiet.wav\twakes\n");
    let text =
        String::from_utf8(run_in(folder.path(), &["demo", "--model", "tiny"]).stdout).unwrap();
    assert!(
        text.ends_with(
            "\n  Engine 2.5: 1 clip, 1 of them accidental; 1 of 1 requests missed\n  \
             wakegate:   1 clip, 0 of them accidental; 0 of 1 requests missed\n"
        ),
        "{text}"
    );
    peer("file\tEngine 2.5\nword.wav\tperhaps\n");
    assert_eq!(run_in(folder.path(), &["demo", "--model", "tiny"]).status.code(), Some(2));
    fs::remove_file(folder.path().join("data/peer.tsv")).unwrap();
    let stricter = run_in(folder.path(), &["demo", "--model", "tiny", "--intended-at", "1.0"]);
    let text = String::from_utf8(stricter.stdout).unwrap();
    assert!(text.contains("\n1 of 2 recordings judged as expected."), "{text}");
    let unnamed = run_in(folder.path(), &["demo", "--model", "tiny", "--sensitivity", "high"]);
    assert_eq!(unnamed.status.code(), Some(2));
    assert!(stderr(&unnamed).starts_with("error: cannot choose a sensitivity: "), "{unnamed:?}");
    fs::remove_file(folder.path().join("data/quiet.wav")).unwrap();
    assert_eq!(run_in(folder.path(), &["demo", "--model", "tiny"]).status.code(), Some(1));
    fs::write(folder.path().join("data/manifest.tsv"), "file\ttext\n").unwrap();
    let output = run_in(folder.path(), &["demo", "--model", "tiny"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        stderr(&output),
        "error: data/manifest.tsv, line 1: expected the columns file, expected, kind, text, found \
         \"file\\ttext\"\n"
    );
}
