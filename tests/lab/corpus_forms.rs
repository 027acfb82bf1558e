//! Lists and manifests as people and programs write them: nothing is swallowed, nothing
//! vanishes, and two recordings never become one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use wakegate::Result;
use wakegate::audio::Channel;
use wakegate_lab::corpus::{Choice, Columns, Corpus, Item, Settings};
use wakegate_lab::table::{Column, Field, Kind, ParquetWriter, Values};

fn items(corpus: &Corpus) -> Vec<Item> {
    let mut items = Vec::new();
    corpus.visit(&mut |item| {
        items.push(item);
        true
    });
    items
}

pub fn of_path(path: &Path) -> Vec<Item> {
    let mut corpus = Corpus::new(Settings::default());
    corpus.add_path(path);
    items(&corpus)
}

/// The rows of a manifest of this name, and what is odd about it.
fn manifest(name: &str, bytes: &[u8]) -> Result<(Vec<Item>, Vec<String>)> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let mut corpus = Corpus::new(Settings::default());
    corpus.add_manifest(&path)?;
    let notes = corpus.notes().iter().map(|(_, note)| note.clone()).collect();
    Ok((items(&corpus), notes))
}

fn utf16(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().flat_map(u16::to_le_bytes);
    [0xff, 0xfe].into_iter().chain(units).collect()
}

pub fn problem(item: &Item) -> String {
    item.audio.as_ref().err().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_manifest_reads_the_same_whatever_a_spreadsheet_made_of_it() {
    let plain = "path,id,trigger_s,channel\na.wav,7,1.5,right\nb.wav,8,,\n";
    let array = "[{\"path\": \"a.wav\", \"id\": 7, \"trigger_s\": 1.5, \"channel\": \"right\"},\n \
                 {\"path\": \"b.wav\", \"id\": \"8\"}]";
    let lines = "{\"path\":\"a.wav\",\"id\":\"7\",\"trigger_s\":\"1.5\",\"channel\":2}\n{\"Path\":\"b.wav\",\"ID\":8}\n";
    for (name, bytes) in [
        ("m.csv", plain.as_bytes().to_vec()),
        ("m.csv", [b"\xef\xbb\xbf", plain.as_bytes()].concat()),
        ("m.csv", utf16(plain)),
        ("m.csv", plain.replace(',', ", ").into_bytes()),
        ("m.csv", plain.replace(',', ";").replace("1.5", "1,5").into_bytes()),
        ("m.csv", plain.replace(',', "\t").into_bytes()),
        (
            "m.csv",
            plain
                .replacen("path,id,trigger_s,channel", "PATH,Id,Trigger_S,Channel", 1)
                .into_bytes(),
        ),
        ("m.tsv", utf16(&plain.replace(',', "\t"))),
        ("m.csv", plain.replace('\n', "\r\n").into_bytes()),
        ("m.jsonl", lines.as_bytes().to_vec()),
        ("m.jsonl", [b"\xef\xbb\xbf", lines.as_bytes()].concat()),
        ("m.jsonl", utf16(lines)),
        ("m.json", array.as_bytes().to_vec()),
    ] {
        let (rows, notes) = manifest(name, &bytes).unwrap();
        assert_eq!(notes, Vec::<String>::new());
        let told: Vec<_> = rows
            .iter()
            .map(|item| {
                let about = &item.about;
                assert_eq!(problem(item), "", "{}", String::from_utf8_lossy(&bytes));
                (about.path.as_str(), about.id.as_deref(), about.trigger_s, about.channel)
            })
            .collect();
        let right = Some(Choice::Channel(Channel::One(2)));
        assert_eq!(
            told,
            [("a.wav", Some("7"), Some(1.5), right), ("b.wav", Some("8"), None, None)]
        );
    }
}

#[test]
fn a_quote_that_is_never_closed_swallows_nothing_in_silence() {
    let (rows, _) = manifest("m.csv", b"path,id\na.wav,1\n\"b.wav,2\nc.wav,3\nd.wav,4\n").unwrap();
    assert_eq!(rows.len(), 2);
    assert!(
        problem(&rows[1]).contains("m.csv:3: the rows can't be read on"),
        "{}",
        problem(&rows[1])
    );
    // Closed by the next one, it has made two paths of three rows.
    let (rows, _) = manifest("m.csv", b"path\n\"a.wav\nb.wav\nc.wav\"\nd.wav\n").unwrap();
    assert!(problem(&rows[0]).contains("hint: a quote may be missing"), "{}", problem(&rows[0]));
    assert_eq!(rows[1].about.path, "d.wav");
    let text = b"path,said\na.wav,x\nb.wav,\"Stop\nc.wav,\"Go\" on\nd.wav,x\n";
    let (rows, _) = manifest("m.csv", text).unwrap();
    assert_eq!((rows.len(), rows[0].about.path.as_str()), (2, "a.wav"));
    let found = problem(&rows[1]);
    assert!(found.contains("m.csv:3") && found.contains("the next one closes"), "{found}");
}

#[test]
fn columns_that_nearly_mean_something_are_told() {
    let (_, notes) = manifest("m.csv", b"path,trigger,labels,room\na.wav,1,x,y\n").unwrap();
    assert_eq!(notes.len(), 2);
    assert!(notes[0].contains("\"trigger\" is not read; \"trigger_s\" would be"), "{notes:?}");
    let (_, notes) = manifest("m.jsonl", b"{\"path\":\"a.wav\",\"trigger-s\":1}\n").unwrap();
    assert_eq!(notes.len(), 1);
    let twice = manifest("m.csv", b"path,id,path\na.wav,1,b.wav\n").err().unwrap().to_string();
    assert!(twice.contains("\"path\" twice"), "{twice}");
}

#[test]
fn a_column_of_objects_is_refused_and_a_damaged_table_told() {
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/forms");
    let columns = Columns::new(&["path=audio".to_owned()], &[]).unwrap();
    let mut corpus = Corpus::new(Settings { columns, ..Settings::default() });
    let said = corpus.add_manifest(&forms.join("hf_audio.parquet")).unwrap_err().to_string();
    assert!(said.contains("found a list or an object"), "{said}");
    let mut corpus = Corpus::new(Settings::default());
    match corpus.add_manifest(&forms.join("../../fuzz/parquet/dict_panic.parquet")) {
        Ok(()) => assert!(items(&corpus).iter().all(|item| !problem(item).is_empty())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

#[test]
fn a_key_that_is_there_twice_is_refused_with_its_line() {
    for (name, text) in [
        (
            "m.jsonl",
            "{\"path\":\"a.wav\"}\n{\"path\":\"b.wav\",\"path\":\"c.wav\"}\n{\"path\":\"d.wav\"}\n",
        ),
        (
            "m.jsonl",
            "{\"path\":\"a.wav\"}\n{\"path\":\"b.wav\",\"x\":{\"path\":1,\"path\":2}}\n{\"path\":\"d.wav\"}\n",
        ),
    ] {
        let (rows, _) = manifest(name, text.as_bytes()).unwrap();
        assert_eq!(rows.len(), 3);
        let said = problem(&rows[1]);
        assert!(said.contains("expected each key once, found \"path\" twice"), "{said}");
        assert!(rows[1].about.path.ends_with(":2"), "{}", rows[1].about.path);
        assert_eq!(rows[2].about.path, "d.wav");
    }
    let (rows, _) = manifest("m.json", b"[{\"path\":\"a.wav\"},{\"id\":1,\"id\":2}]").unwrap();
    assert!(problem(&rows[1]).contains("found \"id\" twice"), "{}", problem(&rows[1]));
}

#[test]
fn a_cell_that_is_no_name_is_refused_before_it_is_copied() {
    for (bytes, others, expected) in [
        (2 << 20, 1, "the row is too long: expected at most 1 MiB"),
        (65 << 20, 1, "expected cells of at most 1 MiB, found "),
        (65 << 20, 100, "expected pages of at most 64 MiB, found "),
    ] {
        let schema = [Field::new("path", Kind::Text)];
        let mut writer = ParquetWriter::new(Vec::new(), &schema, &[]).unwrap();
        let mut rows = vec![Some("a.wav".to_owned()); others];
        rows.push(Some("a".repeat(bytes)));
        writer.write_rows(&[Column::new("path", Values::Text(rows))]).unwrap();
        let (rows, _) = manifest("m.parquet", &writer.finish().unwrap()).unwrap();
        let said = problem(rows.last().unwrap());
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn parquet_is_read_however_it_is_compressed() {
    use parquet::basic::Compression;
    use parquet::data_type::{ByteArray, ByteArrayType};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    let schema = "message m { required binary path (UTF8); }";
    let schema = std::sync::Arc::new(parquet::schema::parser::parse_message_type(schema).unwrap());
    let of = |compression| {
        let properties = WriterProperties::builder().set_compression(compression).build();
        let mut writer =
            SerializedFileWriter::new(Vec::new(), schema.clone(), properties.into()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let paths = [ByteArray::from("a.wav"), ByteArray::from("b.wav")];
        column.typed::<ByteArrayType>().write_batch(&paths, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.into_inner().unwrap()
    };
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(parquet::basic::GzipLevel::default()),
        Compression::LZ4_RAW,
    ] {
        let (rows, _) = manifest("m.parquet", &of(compression)).unwrap();
        let paths: Vec<_> = rows.iter().map(|item| item.about.path.as_str()).collect();
        assert_eq!(paths, ["a.wav", "b.wav"], "{compression:?}");
    }
    // With Zstandard, as polars writes it, and in pages of the second version.
    for name in ["polars.parquet", "zstd_v2.parquet"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/corpora");
        let (rows, _) = manifest("m.parquet", &fs::read(folder.join(name)).unwrap()).unwrap();
        assert_eq!(rows.len(), 300, "{name}");
        for (number, row) in rows.iter().enumerate() {
            let about = &row.about;
            assert_eq!(about.path, format!("clips/{}/a{number:04}.wav", number % 7), "{name}");
            assert_eq!(about.id.as_deref(), Some(number.to_string().as_str()), "{name}");
            let trigger = number.is_multiple_of(3).then_some(number as f64 / 10.0);
            assert_eq!(about.trigger_s, trigger, "{name}");
            let label = if number % 2 == 1 { "intended" } else { "accidental" };
            assert_eq!(about.label.as_deref(), Some(label), "{name}");
        }
    }
}

#[test]
fn a_list_may_have_a_mark_and_names_that_are_no_text() {
    let folder = TempDir::new().unwrap();
    let names: [&[u8]; 3] = [b"caf\xe9.wav", b"caf\xe8.wav", "caf\u{e9}.wav".as_bytes()];
    for name in names {
        fs::write(folder.path().join(OsStr::from_bytes(name)), name).unwrap();
    }
    let found = of_path(folder.path());
    let mut paths: Vec<_> = found.iter().map(|item| item.about.path.clone()).collect();
    paths.dedup();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths.iter().any(|path| path.ends_with("caf\\xe9.wav")), "{paths:?}");
    let list = folder.path().join("list");
    let line = |name: &[u8]| [folder.path().as_os_str().as_bytes(), b"/", name, b"\r\n"].concat();
    fs::write(&list, [b"\xef\xbb\xbf".to_vec(), line(names[0]), line(names[1])].concat()).unwrap();
    let mut corpus = Corpus::new(Settings::default());
    corpus.add_list(&list).unwrap();
    let items = items(&corpus);
    assert_eq!(items.len(), 2);
    assert!(items.iter().all(|item| item.audio.is_ok()), "{:?}", items[0].audio);
}

#[test]
fn a_sample_whose_files_stand_apart_is_told() {
    let told = |names: &[&str]| -> Vec<(String, bool)> {
        let mut builder = tar::Builder::new(Vec::new());
        for name in names {
            let bytes: &[u8] =
                if name.ends_with(".json") { b"{\"label\": \"x\"}" } else { b"RIFF" };
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("s.tar");
        fs::write(&path, builder.into_inner().unwrap()).unwrap();
        let shown = |item: &Item| {
            let name = item.about.path.split_once("s.tar/").unwrap().1.to_owned();
            let torn = problem(item).contains("s.tar/") && problem(item).contains("--sort=name");
            assert!(torn || item.audio.is_ok(), "{}", problem(item));
            (name, torn)
        };
        of_path(&path).iter().map(shown).collect()
    };
    let as_packed = |list: &[(&str, bool)]| -> Vec<(String, bool)> {
        list.iter().map(|(name, torn)| ((*name).to_owned(), *torn)).collect()
    };
    // As `tar` packs a folder: in the order in which the disk has its files.
    assert_eq!(
        told(&["a.wav", "b.wav", "a.json", "b.json"]),
        as_packed(&[("a.wav", false), ("b.wav", false), ("a", true), ("b", true)])
    );
    assert_eq!(
        told(&["a.json", "b.json", "a.wav", "b.wav"]),
        as_packed(&[("a", true), ("a.wav", false), ("b", true), ("b.wav", false)])
    );
    // Side by side; recordings that are there twice; and what belongs to no recording at all.
    assert_eq!(
        told(&["a.json", "a.wav", "b.wav"]),
        as_packed(&[("a.wav", false), ("b.wav", false)])
    );
    let twice = ["a.wav", "a.json", "b.wav", "a.wav", "a.json", "about.json"];
    assert!(told(&twice).iter().all(|(_, torn)| !torn));
}

#[test]
fn a_table_that_names_parts_of_recordings_is_told_to_be_judged_whole() {
    let lines = "{\"path\": \"a.wav\", \"offset\": 3.5, \"duration\": 2.0}\n";
    let (_, notes) = manifest("m.jsonl", lines.as_bytes()).unwrap();
    let said = "the column \"offset\" is not read: whole recordings are judged, not parts of them";
    assert_eq!(notes, [said]);
    let (_, notes) = manifest("m.csv", b"path,Start,text\na.wav,1,x\n").unwrap();
    assert!(notes.iter().any(|note| note.contains("\"Start\" is not read: whole")), "{notes:?}");
    // Whoever carries it through knows of it.
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("m.jsonl"), lines).unwrap();
    let columns = Columns::new(&[], &["offset".to_owned()]).unwrap();
    let mut corpus = Corpus::new(Settings { columns, ..Settings::default() });
    corpus.add_manifest(&folder.path().join("m.jsonl")).unwrap();
    assert_eq!(corpus.notes(), []);
}

#[test]
fn a_pipe_is_no_manifest() {
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("m.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = Corpus::new(Settings::default()).add_manifest(&pipe).unwrap_err().to_string();
    assert!(said.contains("expected a file, which can be read twice"), "{said}");
}

#[test]
fn a_channel_is_a_number_or_a_name() {
    let parse = |name: &str| name.parse::<Choice>();
    assert_eq!(parse("left").unwrap(), Choice::Channel(Channel::One(1)));
    assert_eq!(parse("12").unwrap().to_string(), "12");
    assert_eq!(parse("mix").unwrap(), Choice::default());
    assert_eq!(parse("each").unwrap(), Choice::Each);
    for bad in ["0", "-1", "256", "Left channel", ""] {
        assert!(parse(bad).unwrap_err().to_string().contains("found \""), "{bad}");
    }
    let (rows, _) = manifest("m.csv", b"path,channel\na.wav,up\n").unwrap();
    assert!(problem(&rows[0]).contains("the channel is refused"), "{}", problem(&rows[0]));
    assert_eq!(json!(rows[0].about.path), "a.wav");
}
