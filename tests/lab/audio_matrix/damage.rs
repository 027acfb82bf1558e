//! Every container damaged, tagged, cut and joined.

use std::fs;

use super::{Bench, CHECKED, Form, RATE, words};

/// Damage keeps its time, tags make no difference, and what is missing is told.
#[test]
fn damaged_tagged_cut_and_joined() {
    let Some(mut bench) = Bench::new("damaged_tagged_cut_and_joined", &["ffmpeg"]) else { return };
    let list = [
        ("wav", "-c:a pcm_s16le"),
        ("wav", "-c:a adpcm_ima_wav"),
        ("aiff", "-c:a pcm_s16be"),
        ("au", "-c:a pcm_s16be"),
        ("flac", "-c:a flac"),
        ("mp3", "-c:a libmp3lame -b:a 64k"),
        ("mp3", "-c:a libmp3lame -q:a 5 -write_xing 0"),
        ("mp2", "-c:a mp2"),
        ("aac", "-c:a aac -f adts"),
        ("m4a", "-c:a aac"),
        ("m4a", "-c:a aac -movflags frag_keyframe+empty_moov -frag_duration 300000"),
        ("ogg", "-c:a libvorbis"),
        ("opus", "-c:a libopus -b:a 24k"),
        ("webm", "-c:a libopus -b:a 24k -cluster_time_limit 300"),
        ("mka", "-c:a flac -cluster_time_limit 300"),
        ("mov", "-c:a pcm_s24be"),
    ];
    for (ending, options) in list {
        let form = Form { name: String::new(), tool: "ffmpeg", arguments: words(options), ending };
        let Some(path) = bench.make(&form) else { continue };
        let name = format!(".{ending} {options}");
        let whole = fs::read(&path).unwrap();
        let (samples, _) = bench.decode(&path).unwrap();
        let seconds = samples.len() as f64 / RATE;
        let try_with = |bench: &mut Bench,
                        what: &str,
                        bytes: Vec<u8>,
                        judge: &dyn Fn(f64, &[String]) -> bool| {
            bench.checked += 1;
            fs::write(&path, bytes).unwrap();
            match bench.decode(&path) {
                Ok((got, warnings)) => {
                    let held = got.len() as f64 / RATE;
                    if !judge(held, &warnings) {
                        bench.wrong.push(format!(
                            "{name}, {what}: {held:.3} of {seconds:.3} s, {warnings:?}"
                        ));
                    }
                }
                // Said is said.
                Err(_) if what == "a hole" => {}
                Err(error) if error.to_string().contains("cut off before its end") => {}
                Err(error) => bench.wrong.push(format!("{name}, {what}: {error}")),
            }
        };
        let same =
            |held: f64, warnings: &[String]| (held - seconds).abs() < 0.001 && warnings.is_empty();
        if ["wav", "aiff", "flac", "mp3", "mp2", "aac"].contains(&ending) {
            let mut id3 = b"ID3\x04\0\0\0\x02\0\0".to_vec();
            id3.resize(10 + 32_768, b'x');
            try_with(&mut bench, "a tag in front", [id3, whole.clone()].concat(), &same);
            let tag = [b"TAG".to_vec(), vec![b' '; 125]].concat();
            try_with(&mut bench, "a tag behind", [whole.clone(), tag].concat(), &same);
        }
        // The header stays, for what is cut is what came after it.
        let from = whole.len() * 4 / 10;
        let mut hole = whole.clone();
        hole[from..whole.len() * 6 / 10].fill(0);
        let pcm = options.contains("pcm");
        try_with(&mut bench, "a hole", hole, &|held, warnings| {
            // Of frames that differ in length, their number can only be estimated.
            let near = if ["mp3", "aac"].contains(&ending) { 0.35 } else { 0.12 };
            (held - seconds).abs() < near && (pcm || !warnings.is_empty())
                || held < seconds && !warnings.is_empty()
        });
        try_with(
            &mut bench,
            "cut off at 70 %",
            whole[..whole.len() * 7 / 10].to_vec(),
            &|held, warnings| {
                // A stream without a length ends where it ends.
                held < seconds && (!warnings.is_empty() || ["mp3", "mp2", "aac"].contains(&ending))
            },
        );
        if ["mp3", "mp2", "aac", "ogg", "opus"].contains(&ending) {
            try_with(&mut bench, "twice", [whole.clone(), whole.clone()].concat(), &|held, _| {
                (held - 2.0 * seconds).abs() < 0.15
            });
        }
    }
    bench.end(&CHECKED);
}
