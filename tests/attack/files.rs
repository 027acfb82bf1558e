//! Hostile files: archives, tables, recordings and model packages that were made to do harm.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::cli_support::{
    checkout, json_lines, package, package_of, run_in, speech_like, stderr, wakegate, write_wav,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Most resident memory of a run over hostile files, in KiB; the program itself takes 60,000.
const MOST_KIB: u64 = 300_000;

/// Runs `score` with the tiny model and gives its peak of resident memory as well.
fn score(folder: &Path, arguments: &[&str]) -> (Output, u64) {
    measured(folder, &[&["score", "--model", "tiny", "--threads", "1"], arguments].concat())
}

/// Runs the program and gives its peak of resident memory in KiB as well.
fn measured(folder: &Path, arguments: &[&str]) -> (Output, u64) {
    let mut command = wakegate();
    command.current_dir(folder).args(arguments);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let watch = std::thread::spawn(move || {
        let (mut most, end) = (0, Instant::now() + Duration::from_secs(120));
        while let Ok(text) = fs::read_to_string(&status) {
            let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) else { break };
            most = most.max(line.split_whitespace().nth(1).unwrap().parse().unwrap());
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        most
    });
    let output = child.wait_with_output().unwrap();
    (output, watch.join().unwrap())
}

fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    package(&folder.path().join("tiny"));
    write_wav(&folder.path().join("a.wav"), &speech_like(3.0, 3));
    folder
}

/// A header of a tar archive for `size` bytes of the kind.
fn header(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_path("././@LongLink").unwrap();
    header.set_size(size);
    header.set_cksum();
    header
}

/// Bytes compressed as the name's ending says.
fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name.rsplit('.').next().unwrap() {
        "gz" => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        }
        "bz2" => {
            let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
            bzip2.write_all(bytes).unwrap();
            bzip2.finish().unwrap()
        }
        "zst" => compress_to_vec(bytes, CompressionLevel::Fastest),
        _ => {
            let options = lzma_rust2::XzOptions::with_preset(0);
            let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            xz.write_all(bytes).unwrap();
            xz.finish().unwrap()
        }
    }
}

#[test]
fn headers_that_ask_for_gigabytes_get_none() {
    let home = home();
    // A gibibyte of a name is a mebibyte on disk, or less; nobody reads as far as 64 of them.
    let size = 1 << 30;
    let long = [tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader];
    let gzip = long.map(|kind| ("bomb.tar.gz", kind));
    let others = ["bomb.tar.bz2", "bomb.tar.zst", "bomb.tar.xz"].map(|name| (name, long[0]));
    for (name, kind) in gzip.into_iter().chain(others) {
        let bomb = [header(kind, size).as_bytes().to_vec(), vec![b'a'; 64 << 20]].concat();
        let bytes = packed(name, &bomb);
        assert!(bytes.len() < 4 << 20, "{name}");
        fs::write(home.path().join(name), bytes).unwrap();
        let (output, most) = score(home.path(), &[name, "a.wav"]);
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let lines = json_lines(&output);
        let error = lines[0]["error"].as_str().unwrap();
        assert!(error.contains("more than 1 MiB of headers"), "{name}: {error}");
        assert!(lines[1]["error"].is_null(), "the rest is scored");
        assert!(most < MOST_KIB, "{name}: {most} KiB");
    }
    // The same in a plain archive that is a hole on disk.
    let file = fs::File::create(home.path().join("hole.tar")).unwrap();
    (&file).write_all(header(tar::EntryType::GNULongName, size).as_bytes()).unwrap();
    file.set_len(size + 4096).unwrap();
    let (output, most) = score(home.path(), &["hole.tar"]);
    assert!(stderr(&output).contains("1 failed") || output.status.code() == Some(1), "{output:?}");
    assert!(most < MOST_KIB, "{most} KiB");
}

#[test]
fn a_window_of_gigabytes_is_refused() {
    let home = home();
    // Zstandard that asks for 2 GiB of what lies behind: the exponent is in the upper five bits.
    let wide = [&b"\x28\xb5\x2f\xfd\x00"[..], &[21 << 3], &[1, 0x80, 0], &[0; 4_096]].concat();
    fs::write(home.path().join("wide.tar.zst"), wide).unwrap();
    // And xz that asks for 3 GiB.
    let mut bytes = packed("wide.tar.xz", &[0; 4_096]);
    // The header of the first block, behind twelve bytes, has the filter 0x21 with its one property.
    let header = 12..12 + 4 * (usize::from(bytes[12]) + 1);
    let property = bytes[header.clone()].windows(2).position(|two| two == [0x21, 1]).unwrap() + 2;
    bytes[12 + property] = 39;
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[header.start..header.end - 4]);
    bytes[header.end - 4..header.end].copy_from_slice(&sum.sum().to_le_bytes());
    fs::write(home.path().join("wide.tar.xz"), bytes).unwrap();
    for name in ["wide.tar.zst", "wide.tar.xz"] {
        let (output, most) = score(home.path(), &[name]);
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let error = json_lines(&output)[0]["error"].as_str().unwrap().to_owned();
        assert!(error.contains("cannot read") && most < MOST_KIB, "{name}: {error}");
        assert!(most < MOST_KIB, "{name}: {most} KiB");
    }
}

/// Writes a file that begins with `head` and goes on with 200 MB of `fill`.
fn endless_row(folder: &Path, name: &str, head: &str, fill: &[u8]) {
    let mut file = std::io::BufWriter::new(fs::File::create(folder.join(name)).unwrap());
    file.write_all(head.as_bytes()).unwrap();
    let block = fill.repeat((1 << 20) / fill.len());
    (0..200).for_each(|_| file.write_all(&block).unwrap());
}

#[test]
fn rows_without_an_end_are_refused_before_they_fill_the_memory() {
    let home = home();
    for (name, head, fill) in [
        ("m.jsonl", "{\"path\": \"a.wav\"}\n{\"path\": \"", "x"),
        ("n.jsonl", "{\"path\": \"a.wav\"}\n{\"path\": [", "0,"),
        ("m.csv", "path,id\na.wav,1\n\"b", "x"),
        ("n.csv", "path,id\na.wav,1\nb", "x"),
        ("o.csv", "path,id\na.wav,1\nb", ","),
    ] {
        endless_row(home.path(), name, head, fill.as_bytes());
        let (output, most) = score(home.path(), &["--manifest", name]);
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("the row is too long"), "{name}: {text}");
        assert!(most < MOST_KIB, "{name}: {most} KiB");
        fs::remove_file(home.path().join(name)).unwrap();
    }
    for (name, head) in [("p.csv", "path,"), ("p.lst", "a.wav\n")] {
        endless_row(home.path(), name, head, b"x");
        let option = if name == "p.lst" { "--list" } else { "--manifest" };
        let (output, most) = score(home.path(), &[option, name]);
        assert_eq!(output.status.code(), Some(2), "{name}: {output:?}");
        assert!(stderr(&output).contains("the row is too long"), "{name}: {output:?}");
        assert!(most < MOST_KIB, "{name}: {most} KiB");
        fs::remove_file(home.path().join(name)).unwrap();
    }
}

#[test]
fn scores_and_labels_have_the_same_limit() {
    let home = home();
    let line = "{\"path\":\"a.wav\",\"p_intended\":0.5,\"start_s\":0.5,\"end_s\":1.0,\"label\":\"intended\"";
    fs::write(home.path().join("sound.jsonl"), format!("{line}}}\n")).unwrap();
    let columns = "path,p_intended,start_s,end_s,label\n";
    for (name, head, fill) in [
        ("a.jsonl", format!("{line}}}\n{line},\"x\":\""), "x"),
        ("b.jsonl", format!("{line}}}\n{line},\"x\":["), "0,"),
        ("c.csv", format!("{columns}a.wav,0.5,0.5,1,intended\n\"b"), "x"),
        ("d.csv", format!("{columns}a.wav,0.5,0.5,1,intended\nb"), ","),
        ("e.csv", "path,p_intended,start_s,end_s,label,".to_owned(), "y,"),
        ("f.tsv", columns.replace(',', "\t"), "z"),
        ("g.txt", "0.5\t1.5\talexa\n1.5\t2.5\t".to_owned(), "alexa "),
    ] {
        endless_row(home.path(), name, &head, fill.as_bytes());
        for command in [
            &["eval", "--threshold", "0.5", "--scores", name, "--labels", "sound.jsonl"][..],
            &["eval", "--threshold", "0.5", "--labels", name, "--scores", "sound.jsonl"],
            &["calibrate", "--share", "0.01", "--labels", name],
        ] {
            let (output, most) = measured(home.path(), command);
            assert_eq!(output.status.code(), Some(2), "{command:?}: {output:?}");
            let said = stderr(&output);
            let refused = said.contains("the row is too long") || said.contains("Audacity");
            assert!(refused && said.contains(name), "{command:?}: {said}");
            assert!(said.len() < 1_000, "{command:?}: {said}");
            assert!(most < MOST_KIB, "{command:?}: {most} KiB");
        }
        fs::remove_file(home.path().join(name)).unwrap();
    }
}

#[test]
fn a_decoder_that_panics_says_so_in_one_line_of_ours() {
    let home = home();
    fs::copy(checkout("tests/fuzz/ogg/vorbis_panic.ogg"), home.path().join("v.ogg")).unwrap();
    let (output, _) = score(home.path(), &["v.ogg", "a.wav"]);
    let said = stderr(&output);
    assert!(!said.contains("panicked at") && !said.contains("RUST_BACKTRACE"), "{said}");
    assert_eq!(json_lines(&output).len(), 2);
    let listened = run_in(home.path(), &["listen", "--model", "tiny", "--input", "v.ogg"]);
    let said = stderr(&listened);
    assert!(!said.contains("panicked at"), "{said}");
}

#[test]
fn a_damaged_parquet_manifest_is_one_problem_and_not_the_end_of_the_run() {
    let home = home();
    let damaged = checkout("tests/fuzz/parquet/dict_panic.parquet");
    fs::copy(damaged, home.path().join("m.parquet")).unwrap();
    let (output, _) = score(home.path(), &["a.wav", "--manifest", "m.parquet"]);
    let said = stderr(&output);
    assert!(!said.contains("panicked at"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines = json_lines(&output);
    assert!(lines[0]["error"].is_null(), "{lines:?}");
    let error = lines.last().unwrap()["error"].as_str().unwrap();
    assert!(error.contains("m.parquet"), "{error}");
}

/// A package with these bytes for a spotter.
pub fn package_with(directory: &Path, spotter: &[u8]) {
    use sha2::{Digest, Sha256};
    package(directory);
    let before = fs::read(directory.join("spotter.onnx")).unwrap();
    let hash = |bytes: &[u8]| -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    fs::write(directory.join("spotter.onnx"), spotter).unwrap();
    let manifest = fs::read_to_string(directory.join("manifest.toml")).unwrap();
    let manifest = manifest.replace(&hash(&before), &hash(spotter));
    fs::write(directory.join("manifest.toml"), manifest).unwrap();
}

#[test]
fn a_network_that_makes_the_runtime_panic_is_a_refusal_everywhere() {
    for entry in fs::read_dir(checkout("tests/fuzz/onnx")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let home = home();
        package_with(&home.path().join("bad"), &bytes);
        for (arguments, code) in [
            (&["model", "check", "bad"][..], 1),
            (&["score", "--model", "bad", "a.wav"], 2),
            (&["listen", "--model", "bad", "--input", "a.wav"], 2),
        ] {
            let output = run_in(home.path(), arguments);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
            let said = stderr(&output) + &String::from_utf8_lossy(&output.stdout);
            assert!(said.contains("cannot load spotter.onnx"), "{said}");
            assert!(!said.contains("panicked at"), "{said}");
        }
    }
}

#[test]
fn a_package_of_pipes_and_endless_files_holds_nobody_up() {
    let home = home();
    for (name, endless) in [
        ("spotter.onnx", false),
        ("verifier.onnx", true),
        ("manifest.toml", false),
        ("manifest.toml", true),
        ("MODEL_CARD.md", true),
    ] {
        let bad = home.path().join("bad");
        drop(fs::remove_dir_all(&bad));
        package_of(&bad, "spotter", "verifier");
        fs::remove_file(bad.join(name)).unwrap();
        if endless {
            std::os::unix::fs::symlink("/dev/zero", bad.join(name)).unwrap();
        } else {
            let made = std::process::Command::new("mkfifo").arg(bad.join(name)).status().unwrap();
            assert!(made.success());
        }
        let start = Instant::now();
        let output = run_in(home.path(), &["model", "check", "bad"]);
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("expected a plain file, found something else"), "{name}: {said}");
    }
}
