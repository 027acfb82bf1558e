//! What a corpus makes of paths, patterns, lists, manifests and archives.

use std::fs;
use std::path::{Path, PathBuf};

use crate::corpus_support::{bytes, gzip, parquet, tar, zip};
use ::zip::CompressionMethod;
use serde_json::json;
use tempfile::TempDir;
use wakegate::ErrorKind;
use wakegate_lab::corpus::{Columns, Corpus, Item, Recording, Settings};
use wakegate_lab::decode::RawForm;

fn items(corpus: &Corpus) -> Vec<Item> {
    let mut items = Vec::new();
    corpus.visit(&mut |item| {
        items.push(item);
        true
    });
    items
}

fn paths(items: &[Item]) -> Vec<&str> {
    items.iter().map(|item| item.about.path.as_str()).collect()
}

fn problems(items: &[Item]) -> Vec<String> {
    items.iter().filter_map(|item| Some(item.audio.as_ref().err()?.to_string())).collect()
}

fn of_path(path: &Path, settings: Settings) -> Vec<Item> {
    let mut corpus = Corpus::new(settings);
    corpus.add_path(path);
    items(&corpus)
}

fn columns(pairs: &[&str], carried: &[&str]) -> Settings {
    let text = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let columns = Columns::new(&text(pairs), &text(carried)).unwrap();
    Settings { columns, ..Settings::default() }
}

/// A folder with empty files of these names.
fn folder(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
    folder
}

/// The bytes that a recording stands for; decoding them says what they are.
fn text_of(item: Item) -> String {
    match item.audio.unwrap() {
        Recording::File(path) => String::from_utf8(bytes(&path)).unwrap(),
        Recording::Memory(bytes) => String::from_utf8(bytes).unwrap(),
        Recording::Part(part) => std::io::read_to_string(part).unwrap(),
        other @ Recording::Zipped(_) => panic!("{other:?}"),
    }
}

#[test]
fn a_pattern_stands_for_what_it_matches_in_the_order_of_the_names() {
    let folder = folder(&["b/2.wav", "b/10.wav", "a/1.wav", "a/deep/3.wav", "a/1.txt", "x[1].wav"]);
    let of = |pattern: &str| of_path(&folder.path().join(pattern), Settings::default());
    let relative = |items: &[Item]| -> Vec<String> {
        let root = format!("{}/", folder.path().display());
        paths(items).iter().map(|path| path.replace(&root, "")).collect()
    };
    assert_eq!(relative(&of("*/*.wav")), ["a/1.wav", "b/10.wav", "b/2.wav"]);
    assert_eq!(relative(&of("**/[13].wav")), ["a/1.wav", "a/deep/3.wav"]);
    // Folders among the matches are searched.
    assert_eq!(relative(&of("?")), ["a/1.wav", "a/deep/3.wav", "b/10.wav", "b/2.wav"]);
    // A file of that very name is no pattern.
    assert_eq!(relative(&of("x[1].wav")), ["x[1].wav"]);
    for (pattern, part) in [("*.flac", "found no match"), ("a[", "cannot use the pattern")] {
        let items = of(pattern);
        assert_eq!(items.len(), 1);
        assert!(problems(&items)[0].contains(part), "{:?}", problems(&items));
    }
}

#[test]
fn lists_and_manifests_start_at_their_root() {
    let folder = folder(&["clips/a.wav", "clips/b.wav"]);
    let list = folder.path().join("list");
    fs::write(&list, "a.wav\r\n\n*.wav\nnone.wav\n").unwrap();
    let root = Some(folder.path().join("clips"));
    let mut corpus = Corpus::new(Settings { root: root.clone(), ..Settings::default() });
    corpus.add_list(&list).unwrap();
    let found = items(&corpus);
    let names: Vec<_> = paths(&found).iter().map(|p| p.rsplit('/').next().unwrap()).collect();
    assert_eq!(names, ["a.wav", "a.wav", "b.wav", "none.wav"]);
    assert_eq!(problems(&found).len(), 1);
    assert!(!corpus.has_columns());
    assert_eq!(corpus.bytes(), Some(3 * "clips/a.wav".len() as u64));

    let manifest = folder.path().join("m.csv");
    fs::write(&manifest, "path\na.wav\nb.wav\n").unwrap();
    let mut corpus = Corpus::new(Settings { root, ..Settings::default() });
    corpus.add_manifest(&manifest).unwrap();
    let found = items(&corpus);
    assert_eq!(paths(&found), ["a.wav", "b.wav"], "the path is as the manifest has it");
    assert_eq!(text_of(found.into_iter().next_back().unwrap()), "clips/b.wav");
    assert!(corpus.has_columns());
    assert_eq!(corpus.bytes(), Some(2 * "clips/a.wav".len() as u64));
}

#[test]
fn csv_tsv_json_lines_and_parquet_say_the_same() {
    let folder = TempDir::new().unwrap();
    let rows = [
        ["a.wav", "u1", "0.5", "yes, quite", "s1"],
        ["b \"b\".wav", "u2", "", "", "s2"],
        ["c.wav", "u3", "2", "no\ttab", ""],
    ];
    let names = ["path", "id", "trigger_s", "label", "note"];
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let separated = |delimiter: u8| {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(names).unwrap();
        rows.iter().for_each(|row| writer.write_record(row).unwrap());
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    };
    write("m.csv", separated(b','));
    write("m.tsv", separated(b'\t'));
    let objects: Vec<String> = rows
        .iter()
        .map(|row| {
            let pairs = names.iter().zip(row).filter(|(_, value)| !value.is_empty());
            let object: serde_json::Map<_, _> =
                pairs.map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            json!(object).to_string()
        })
        .collect();
    write("m.jsonl", objects.join("\n\n"));
    let owned: Vec<Vec<String>> = rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
    parquet(&folder.path().join("m.parquet"), &names, &owned);
    let read = |name: &str| {
        let mut corpus = Corpus::new(columns(&[], &["note"]));
        corpus.add_manifest(&folder.path().join(name)).unwrap();
        items(&corpus).into_iter().map(|item| (item.about, item.audio.is_ok())).collect::<Vec<_>>()
    };
    let expected = read("m.csv");
    let first = &expected[0].0;
    assert_eq!((first.trigger_s, first.label.as_deref()), (Some(0.5), Some("yes, quite")));
    assert_eq!((&first.carried[..], first.id.as_deref()), (&[json!("s1")][..], Some("u1")));
    assert_eq!((&expected[1].0.label, expected[2].0.carried[0].is_null()), (&None, true));
    for name in ["m.tsv", "m.jsonl", "m.parquet"] {
        assert_eq!(read(name), expected, "{name}");
    }
}

/// `tests/data/corpora/manifest.parquet` is pyarrow's (`make.py` beside it).
#[test]
fn a_table_of_another_writer_is_read_with_its_types() {
    let pairs = ["path=file", "id=utt", "trigger_s=trigger", "group=speaker"];
    let mut corpus = Corpus::new(columns(&pairs, &["loud", "gain", "utt"]));
    let manifest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/corpora/manifest.parquet");
    corpus.add_manifest(&manifest).unwrap();
    let found = items(&corpus);
    let third = format!("{}:3", manifest.display());
    assert_eq!(paths(&found), ["a.wav", "b.wav", &third, "c.wav"]);
    let about: Vec<_> = found.iter().map(|item| &item.about).collect();
    assert_eq!((about[0].id.as_deref(), about[0].trigger_s), (Some("1"), Some(0.5)));
    assert_eq!((about[1].group.as_deref(), about[1].trigger_s), (Some("s1"), None));
    assert_eq!(about[1].carried, [json!(false), json!(0.2), json!(2)]);
    assert_eq!((&about[2].carried[0], &about[3].group), (&json!(null), &None));
    let problems = problems(&found);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("the row names no recording"));
    // What is no number in JSON is none.
    assert_eq!(about[3].trigger_s, None);
}

#[test]
fn rows_that_cannot_be_read_stop_no_other() {
    let folder = TempDir::new().unwrap();
    let rows = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let mut corpus = Corpus::new(Settings::default());
        corpus.add_manifest(&path).unwrap();
        items(&corpus)
            .into_iter()
            .map(|item| {
                (item.about.path.rsplit('/').next().unwrap().to_owned(), item.audio.is_ok())
            })
            .collect::<Vec<_>>()
    };
    let csv = b"path,id\na.wav,1\nb.wav\n,3\nc\xff.wav,4\nd.wav,5\n";
    let expected = [
        ("a.wav", true),
        ("m.csv:3", false),
        ("m.csv:4", false),
        ("m.csv:5", false),
        ("d.wav", true),
    ];
    assert_eq!(rows("m.csv", csv), expected.map(|(path, ok)| (path.to_owned(), ok)));
    let jsonl = b"{\"path\":\"a.wav\"}\nnonsense\n[1]\n{\"path\":\"b.wav\",\"trigger_s\":-1}\n{\"path\":\"c.wav\"}";
    let expected = [
        ("a.wav", true),
        ("m.jsonl:2", false),
        ("m.jsonl:3", false),
        ("b.wav", false),
        ("c.wav", true),
    ];
    assert_eq!(rows("m.jsonl", jsonl), expected.map(|(path, ok)| (path.to_owned(), ok)));
}

#[test]
fn a_manifest_that_is_none_is_refused_at_once() {
    let folder = folder(&["m.txt", "m.parquet", "m.csv"]);
    fs::write(folder.path().join("m.csv"), "file,id\na.wav,1\n").unwrap();
    for (name, kind, part) in [
        ("m.txt", ErrorKind::Settings, "hint: a list of bare paths is --list FILE"),
        ("m.parquet", ErrorKind::Io, "expected a Parquet file"),
        ("m.csv", ErrorKind::Settings, "has no column \"path\": expected one of file, id"),
        ("none.jsonl", ErrorKind::Io, "cannot read"),
        ("none.csv", ErrorKind::Io, "cannot read"),
    ] {
        let mut corpus = Corpus::new(Settings::default());
        let error = corpus.add_manifest(&folder.path().join(name)).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// Members of a WebDataset shard; audio that is text, so that it can be told apart.
fn members() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("./a/0.json", br#"{"label":"yes","speaker":"s1","id":"named"}"#.to_vec()),
        ("./a/0.wav", b"first".to_vec()),
        ("a/1.left.flac", b"second".to_vec()),
        ("a/1.cls", b"no\n".to_vec()),
        ("a/1.right.FLAC", b"third".to_vec()),
        ("a/1.png", b"?".to_vec()),
        ("__MACOSX/._1.wav", b"?".to_vec()),
        ("b.json", b"[1]".to_vec()),
        ("b.wav", b"fourth".to_vec()),
        ("readme.txt", b"?".to_vec()),
        ("c.ulaw", b"fifth".to_vec()),
        ("d.opus", b"sixth".to_vec()),
    ]
}

#[test]
fn the_members_of_a_shard_are_grouped_by_key_whatever_the_archive() {
    let folder = TempDir::new().unwrap();
    let plain = tar(&members());
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let archives = [
        write("s.tar", &plain),
        write("s.tar.gz", &gzip(&plain)),
        write("s.tgz", &[gzip(&plain[..700]), gzip(&plain[700..])].concat()),
        write("s.zip", &zip(&members(), CompressionMethod::Stored)),
        write("packed.zip", &zip(&members(), CompressionMethod::Deflated)),
    ];
    for archive in archives {
        let settings = || columns(&["group=speaker"], &["cls"]);
        let found = of_path(&archive, settings());
        let name = archive.display();
        let expected = ["a/0.wav", "a/1.left.flac", "a/1.right.FLAC", "b.wav", "d.opus"]
            .map(|member| format!("{name}/{member}"));
        assert_eq!(paths(&found), expected);
        let about: Vec<_> = found.iter().map(|item| item.about.clone()).collect();
        let ids: Vec<_> = about.iter().map(|about| about.id.as_deref().unwrap()).collect();
        assert_eq!(ids, ["named", "a/1", "a/1", "b", "d"]);
        assert_eq!(
            (about[0].label.as_deref(), about[0].group.as_deref()),
            (Some("yes"), Some("s1"))
        );
        assert_eq!(about[2].carried, [json!("no")]);
        assert!(about[4].label.is_none() && about[4].carried[0].is_null());
        let told: u64 = about.iter().map(|about| about.bytes).sum();
        assert!(told <= fs::metadata(&archive).unwrap().len(), "{told} bytes of {name}");
        let problems = problems(&found);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].contains("b.json: expected a JSON object, found another"));
        if archive.extension().unwrap() == "zip" {
            continue;
        }
        let texts: Vec<_> =
            found.into_iter().filter(|item| item.audio.is_ok()).map(text_of).collect();
        assert_eq!(texts, ["first", "second", "third", "sixth"], "{name}");
    }
    let raw = RawForm::new("ulaw".parse().unwrap(), 8_000, 1).unwrap();
    let settings = Settings { raw: Some(raw), ..Settings::default() };
    assert_eq!(of_path(&folder.path().join("s.tar"), settings).len(), 6, "and the headerless one");
}

#[test]
fn a_damaged_archive_gives_what_comes_before_and_says_so() {
    let folder = TempDir::new().unwrap();
    let plain = tar(&[("a.wav", vec![b'a'; 3_000]), ("b.wav", vec![b'b'; 3_000])]);
    let mut flipped = plain.clone();
    flipped[3_584 + 5] ^= 1;
    let packed =
        gzip(&tar(&[("a.wav", (0..90_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect())]));
    let of = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let found = of_path(&path, Settings::default());
        let good = found.iter().filter(|item| item.audio.is_ok()).count();
        (good, problems(&found).join("; "))
    };
    let (good, problem) = of("flipped.tar", &flipped);
    assert_eq!(good, 1);
    assert!(problem.contains("what came before in it is scored"), "{problem}");
    let (good, problem) = of("cut.tar", &plain[..5_000]);
    assert_eq!(good, 1);
    assert!(problem.contains("cut.tar/b.wav: ") && problem.contains("cut short"), "{problem}");
    let (good, problem) = of("cut.tar.gz", &packed[..packed.len() / 2]);
    assert_eq!(good, 0);
    assert!(problem.contains("a.wav"), "{problem}");
    for (name, bytes) in
        [("none.zip", &b"nonsense"[..]), ("none.tar", &[7; 600]), ("empty.zip", b"")]
    {
        let (good, problem) = of(name, bytes);
        assert_eq!(good, 0);
        assert!(problem.contains("expected a tar or zip archive"), "{name}: {problem}");
    }
    let (_, problem) = of("other.tar", &tar(&[("a.txt", vec![0; 10])]));
    assert!(problem.starts_with("no audio files in "), "{problem}");
}

#[test]
fn members_of_compressed_archives_have_a_greatest_size() {
    let folder = TempDir::new().unwrap();
    let members = [("a.wav", vec![b'x'; 2 << 20]), ("b.wav", b"small".to_vec())];
    let archives: [(&str, Vec<u8>, usize); 4] = [
        ("s.tar", tar(&members), 2),
        ("stored.zip", zip(&members, CompressionMethod::Stored), 2),
        ("s.tar.gz", gzip(&tar(&members)), 1),
        ("packed.zip", zip(&members, CompressionMethod::Deflated), 1),
    ];
    for (name, bytes, readable) in archives {
        let path: PathBuf = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let found = of_path(&path, Settings { member_limit: 1 << 20, ..Settings::default() });
        assert_eq!(found.iter().filter(|item| item.audio.is_ok()).count(), readable, "{name}");
        if readable == 1 {
            let error = found[0].audio.as_ref().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limit);
            assert!(error.to_string().contains("at most 1 MiB in a compressed archive"), "{error}");
        } else {
            assert_eq!(found[0].audio.as_ref().unwrap().held(), 0, "{name} is read in place");
        }
    }
}
