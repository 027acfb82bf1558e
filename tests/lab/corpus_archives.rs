//! Archives as people and programs write them: however they are compressed, and whatever links are
//! in them.

use std::fs;
use std::io::Write;

use ::zip::CompressionMethod;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tempfile::TempDir;
use wakegate_lab::corpus::{Item, Recording};

use crate::corpus_forms::{of_path, problem};
use crate::corpus_support::{gzip, tar, zip};

#[test]
fn a_tar_archive_is_read_however_it_is_compressed() {
    let folder = TempDir::new().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    for name in ["a.wav", "b.wav"] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(4);
        builder.append_data(&mut header, name, name.as_bytes().get(..4).unwrap()).unwrap();
    }
    let tar = builder.into_inner().unwrap();
    let written = |mut to: Box<dyn Write>| to.write_all(&tar).unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = |name: &str| fs::File::create(at(name)).unwrap();
    written(Box::new(file("a.tar")));
    let level = flate2::Compression::fast();
    written(Box::new(flate2::write::GzEncoder::new(file("b.tgz"), level)));
    let level = bzip2::Compression::fast();
    written(Box::new(bzip2::write::BzEncoder::new(file("c.tar.bz2"), level)));
    let zstandard = |bytes: &[u8]| compress_to_vec(bytes, CompressionLevel::Fastest);
    fs::write(at("d.tar.zst"), zstandard(&tar)).unwrap();
    let options = lzma_rust2::XzOptions::with_preset(0);
    let xz = lzma_rust2::XzWriter::new(file("e.txz"), options).unwrap();
    written(Box::new(xz.auto_finish()));
    // Several streams one behind the other, as parallel compressors write them, and something to
    // pass over in front.
    let (head, rest) = tar.split_at(700);
    let mut parts = b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec();
    [head, rest].iter().for_each(|part| parts.extend(zstandard(part)));
    fs::write(at("f.tzst"), parts).unwrap();
    // By what is inside, whatever the name says.
    fs::copy(at("e.txz"), at("g.tar")).unwrap();
    for name in ["a.tar", "b.tgz", "c.tar.bz2", "d.tar.zst", "e.txz", "f.tzst", "g.tar"] {
        let found = of_path(&at(name));
        let paths: Vec<_> =
            found.iter().map(|item| item.about.path.rsplit('/').next().unwrap()).collect();
        assert_eq!(paths, ["a.wav", "b.wav"], "{name}");
        assert!(found.iter().all(|item| item.audio.is_ok()), "{name}");
        // What is cut off is told.
        let whole = fs::read(at(name)).unwrap();
        let cut = at(&format!("cut_{name}"));
        fs::write(&cut, &whole[..whole.len() * 2 / 5]).unwrap();
        let told = of_path(&cut).iter().any(|item| item.audio.is_err());
        assert!(told, "{name} cut off");
    }
    fs::write(at("h.tar.lz"), b"LZIP\x01").unwrap();
    let lzma = [b"\x5d\0\0\x10".to_vec(), vec![0xff; 600]].concat();
    fs::write(at("i.tar"), lzma).unwrap();
    let said = problem(&of_path(&at("i.tar"))[0]).to_owned();
    assert!(
        said.contains("gzip, bzip2, Zstandard or xz, found one compressed with LZMA"),
        "{said}"
    );
}

/// An archive with a recording, a hard link and a symbolic link to it, and a link to nothing.
fn with_links() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, target: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        if target.is_empty() {
            builder.append_data(&mut header, name, bytes).unwrap();
        } else {
            builder.append_link(&mut header, name, target).unwrap();
        }
    };
    use tar::EntryType::{Link, Regular, Symlink};
    add("d/a.wav", Regular, "", b"first");
    add("d/a.json", Regular, "", br#"{"label":"yes"}"#);
    add("d/b.wav", Link, "d/a.wav", b"");
    add("d/c.wav", Symlink, "b.wav", b"");
    add("d/c.json", Symlink, "../d/a.json", b"");
    add("d/e.wav", Symlink, "gone.wav", b"");
    add("f.wav", Regular, "", b"last");
    builder.into_inner().unwrap()
}

fn text_of(item: &Item) -> String {
    match &item.audio {
        Ok(Recording::Memory(bytes)) => String::from_utf8(bytes.clone()).unwrap(),
        Ok(Recording::Part(part)) => std::io::read_to_string(part.clone()).unwrap(),
        other => format!("{other:?}"),
    }
}

#[test]
fn links_do_not_have_an_archive_searched_without_end() {
    // 64 MiB of zeros and a hundred links behind them, in 66 KiB.
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(bytes.len() as u64);
        match kind {
            tar::EntryType::Link => builder.append_link(&mut header, name, "a.wav").unwrap(),
            _ => builder.append_data(&mut header, name, bytes).unwrap(),
        }
    };
    add("zeros.bin", tar::EntryType::Regular, &vec![0; 64 << 20]);
    add("a.wav", tar::EntryType::Regular, b"first");
    (0..100).for_each(|n| add(&format!("{n}.wav"), tar::EntryType::Link, b""));
    let bytes = builder.into_inner().unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.tar.gz");
    fs::write(&path, gzip(&bytes)).unwrap();
    let found = of_path(&path);
    assert_eq!(found.len(), 101);
    assert_eq!(text_of(&found[1]), "first");
    let said = problem(&found[100]);
    assert!(said.contains("links for which 2 GiB of the archive are searched at most"), "{said}");
    // What is not compressed is found by its headers alone.
    let path = folder.path().join("s.tar");
    fs::write(&path, &bytes).unwrap();
    assert_eq!(text_of(&of_path(&path)[100]), "first");
}

#[test]
fn two_members_of_a_zip_with_one_name_are_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.zip");
    let members = ["a.wav", "b.wav", "c.wav"].map(|name| (name, name.as_bytes().to_vec()));
    let mut bytes = zip(&members, CompressionMethod::Deflated);
    fs::write(&path, &bytes).unwrap();
    assert!(of_path(&path).iter().all(|item| item.audio.is_ok()));
    // A comment may look like the record that it stands in.
    let comment = [b"PK\x05\x06".as_slice(), &[b'x'; 200]].concat();
    let length = bytes.len();
    bytes[length - 2..].copy_from_slice(&(comment.len() as u16).to_le_bytes());
    bytes.extend(comment);
    fs::write(&path, &bytes).unwrap();
    assert!(of_path(&path).iter().all(|item| item.audio.is_ok()));
    while let Some(at) = bytes.windows(5).position(|name| name == b"b.wav") {
        bytes[at] = b'a';
    }
    fs::write(&path, &bytes).unwrap();
    let found = of_path(&path);
    let said = problem(found.last().unwrap());
    assert!(said.contains("3 members, of which 2 have one"), "{said}");
}

#[test]
fn links_in_an_archive_lead_where_they_lead() {
    let folder = TempDir::new().unwrap();
    let bytes = with_links();
    let mut squeezed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    squeezed.write_all(&bytes).unwrap();
    for (name, bytes) in [
        ("s.tar", bytes.clone()),
        ("s.tar.gz", gzip(&bytes)),
        ("s.tar.bz2", squeezed.finish().unwrap()),
        ("no_ending", bytes.clone()),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let found = of_path(&path);
        let names: Vec<_> =
            found.iter().map(|item| item.about.path.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["a.wav", "b.wav", "c.wav", "e.wav", "f.wav"], "{name}");
        for (place, text) in [(0, "first"), (1, "first"), (2, "first"), (4, "last")] {
            assert_eq!(text_of(&found[place]), text, "{name}");
        }
        assert_eq!(found[2].about.label.as_deref(), Some("yes"));
        let said = problem(&found[3]);
        assert!(said.contains("a link to d/gone.wav, which is not in the archive"), "{said}");
    }
    // Compressed by what is not read, it is refused and not searched for sound.
    let path = folder.path().join("s.tar.xz");
    fs::write(&path, [b"\x04\x22\x4d\x18".to_vec(), tar(&[("a.wav", vec![1; 9])])].concat())
        .unwrap();
    let found = of_path(&path);
    assert_eq!(found.len(), 1);
    assert!(problem(&found[0]).contains("found one compressed with LZ4"), "{}", problem(&found[0]));
}
