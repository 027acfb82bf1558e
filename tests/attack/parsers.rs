//! Every parser of bytes that somebody else wrote, against altered inputs, for a bounded time.

use std::fs;
use std::io::Write;

use crate::cli_support::checkout;
use crate::fuzz_support::fuzz;
use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use sha2::{Digest, Sha256};
use wakegate::model::{Manifest, Model};
use wakegate_cli::config::Config;
use wakegate_cli::wyoming::Uri;
use wakegate_cli::wyoming::protocol::{Decoder, Event, Limits};
use wakegate_lab::corpus::{Columns, Corpus, Settings};

#[test]
fn wyoming_events() {
    let limits = Limits { line: 4096, data: 4096, payload: 4096 };
    let chunk = Event::new("audio-chunk").with("rate", 16_000).with("width", 2).with("channels", 1);
    let seeds = vec![
        chunk.with_payload(vec![1; 640]).encode(),
        Event::new("detect").with("names", vec!["alexa"]).encode(),
        [Event::new("describe").encode(), Event::new("audio-stop").encode()].concat(),
        b"{\"type\": \"ping\", \"data\": {\"text\": \"x\"}, \"payload_length\": 3}\nabc".to_vec(),
    ];
    fuzz("wyoming", seeds, |bytes| {
        // In pieces of any size the outcome is the same, and nothing is held beyond the limits.
        let decode = |piece: usize| {
            let mut decoder = Decoder::new(limits);
            let mut found = Vec::new();
            for mut piece in bytes.chunks(piece) {
                loop {
                    match decoder.next(&mut piece) {
                        Ok(Some(event)) => found.push(Ok(event)),
                        Ok(None) => break,
                        Err(error) => {
                            found.push(Err(error));
                            return found;
                        }
                    }
                }
                assert!(decoder.capacity() <= 4096);
            }
            found
        };
        let whole = decode(usize::MAX);
        assert_eq!(whole, decode(7));
        for error in whole.iter().filter_map(|event| event.as_ref().err()) {
            quotes_nothing(&error.to_string(), bytes);
        }
    });
}

/// No stretch of eight bytes that are not plain words of ours is in the message.
fn quotes_nothing(message: &str, bytes: &[u8]) {
    for window in bytes.windows(8).filter(|window| window.iter().any(|byte| *byte >= 0x80)) {
        let text = String::from_utf8_lossy(window);
        assert!(!message.contains(&*text), "{message:?} quotes {text:?}");
    }
    assert!(message.len() < 400, "{message}");
}

#[test]
fn wyoming_addresses() {
    let seeds = ["tcp://127.0.0.1:10400", "unix:///run/w.sock", "tcp://[::1]:1/"];
    fuzz("uri", seeds.map(|text| text.as_bytes().to_vec()).into(), |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(uri) = text.parse::<Uri>() {
            assert_eq!(uri.to_string().parse::<Uri>().unwrap(), uri);
        }
    });
}

#[test]
fn settings_files() {
    fuzz("settings", vec![wakegate_cli::config::DEFAULT.as_bytes().to_vec()], |bytes| {
        let Ok(config) = Config::parse(&String::from_utf8_lossy(bytes)) else { return };
        // What is taken is in range, and prints as what it is.
        config.validate().unwrap();
        let printed = wakegate_cli::config::print(&config);
        assert_eq!(Config::parse(&printed).unwrap(), config);
    });
}

#[test]
fn model_manifests() {
    let seeds = ["models/alexa-3/manifest.toml", "tests/models/manifest.toml"]
        .map(|path| fs::read(checkout(path)).unwrap());
    fuzz("manifest", seeds.into(), |bytes| {
        let Ok(manifest) = Manifest::parse(&String::from_utf8_lossy(bytes)) else { return };
        // Everything that sizes memory by it is bounded.
        assert!(manifest.window_frames() < 100_000 && manifest.hop_samples() > 0);
        assert!(manifest.early_frames().iter().all(|&frames| frames <= manifest.window_frames()));
    });
}

#[test]
fn networks() {
    let seeds = ["spotter", "verifier"]
        .map(|name| fs::read(checkout(&format!("tests/models/{name}.onnx"))).unwrap());
    let verifier = seeds[1].clone();
    let manifest = fs::read_to_string(checkout("tests/models/manifest.toml")).unwrap();
    let hash = |bytes: &[u8]| -> String {
        Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let manifest = manifest.replace("<sha256 of verifier>", &hash(&verifier));
    fuzz("onnx", seeds.to_vec(), |bytes| {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("spotter.onnx"), bytes).unwrap();
        fs::write(at("verifier.onnx"), &verifier).unwrap();
        fs::write(at("MODEL_CARD.md"), "# x\n").unwrap();
        fs::write(at("manifest.toml"), manifest.replace("<sha256 of spotter>", &hash(bytes)))
            .unwrap();
        let Ok(mut spotter) = Model::open(folder.path()).and_then(|model| model.spotter()) else {
            return;
        };
        // What loads also runs, or says why it does not.
        drop(spotter.step(&[0.0; 80]));
    });
}

/// Visits everything that the corpus has, without decoding it.
fn visit(corpus: &Corpus) {
    let mut count = 0;
    corpus.visit(&mut |_| {
        count += 1;
        count < 1_000
    });
}

fn settings() -> Settings {
    let columns = Columns::new(&["label=cls".to_owned()], &["txt".to_owned()]).unwrap();
    Settings { columns, member_limit: 1 << 20, ..Settings::default() }
}

/// A tar archive with a recording, its label, a long name and a pax header.
fn tar() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let long = format!("{}/a.wav", "d".repeat(120));
    for (name, bytes) in
        [("a.wav", &b"RIFF"[..]), ("a.cls", b"x"), ("a.json", b"{}"), (&long, b"y")]
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).unwrap();
    }
    tar.append_pax_extensions([("comment", &b"x"[..])]).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_size(1);
    tar.append_data(&mut header, "b.flac", &b"z"[..]).unwrap();
    tar.into_inner().unwrap()
}

/// Runs an archive or a table under the name through a corpus.
fn through_a_corpus(name: &'static str, is_table: bool) -> impl Fn(&[u8]) {
    let folder = tempfile::tempdir().unwrap();
    move |bytes| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        let mut corpus = Corpus::new(Settings { root: Some("/none".into()), ..settings() });
        if is_table {
            corpus = Corpus::new(Settings { columns: Columns::default(), ..settings() });
            if corpus.add_manifest(&path).is_err() {
                return;
            }
        } else {
            corpus.add_path(&path);
        }
        visit(&corpus);
    }
}

#[test]
fn tar_archives() {
    fuzz("tar", vec![tar()], through_a_corpus("a.tar", false));
}

/// A tar archive as a compressor packs it.
type Pack = fn(&[u8]) -> Vec<u8>;

#[test]
fn compressed_tar_archives() {
    let packs: [(&'static str, Pack); 4] = [
        ("a.tar.gz", |bytes| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(bytes).unwrap();
            gzip.finish().unwrap()
        }),
        ("a.tar.bz2", |bytes| {
            let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bzip2.write_all(bytes).unwrap();
            bzip2.finish().unwrap()
        }),
        ("a.tar.zst", |bytes| compress_to_vec(bytes, CompressionLevel::Fastest)),
        ("a.tar.xz", |bytes| {
            let options = lzma_rust2::XzOptions::with_preset(0);
            let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            xz.write_all(bytes).unwrap();
            xz.finish().unwrap()
        }),
    ];
    for (name, pack) in packs {
        // What checksums would hide from the parser is altered before it is compressed, and the
        // decompressor's own reading behind that.
        let folder = name.replace('.', "_");
        let run = through_a_corpus(name, false);
        fuzz(&folder, vec![tar()], |bytes| run(&pack(bytes)));
        fuzz(&folder, vec![pack(&tar())], &run);
    }
}

#[test]
fn zip_archives() {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for name in ["a.wav", "a.cls", "dir/b.flac"] {
        zip.start_file(name, options).unwrap();
        zip.write_all(&[7; 400]).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    fuzz("zip", vec![bytes], through_a_corpus("a.zip", false));
}

#[test]
fn tables() {
    let csv = b"path,id,trigger_s,label\na.wav,1,0.5,intended\n\"b,\"\"c\",2,,\n".to_vec();
    fuzz("csv", vec![csv], through_a_corpus("a.csv", true));
    let lines =
        b"{\"path\": \"a.wav\", \"trigger_s\": 1.5}\n\n{\"path\": \"b\", \"id\": [1]}\n".to_vec();
    fuzz("jsonl", vec![lines], through_a_corpus("a.jsonl", true));
}

#[test]
fn parquet_tables() {
    // What is kept is what it starts from: a table without its dictionary.
    fuzz("parquet", Vec::new(), through_a_corpus("a.parquet", true));
}
