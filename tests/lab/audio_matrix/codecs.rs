//! Codecs in every container, and what other programs than ffmpeg write.

use super::{Form, all, forms, words};

#[test]
fn mpeg_audio() {
    let rates = [16_000, 22_050, 24_000, 32_000, 44_100, 48_000];
    let mut list = forms("-b:a 64k", "mp3", &["libmp3lame"], &rates, &[1, 2]);
    list.extend(forms("-q:a 4", "mp3", &["libmp3lame"], &[8_000, 16_000, 44_100], &[1, 2]));
    list.extend(forms(
        "-q:a 4 -write_xing 0 -id3v2_version 0",
        "mp3",
        &["libmp3lame"],
        &[16_000, 44_100],
        &[1, 2],
    ));
    list.extend(forms(
        "-id3v2_version 3 -metadata title=Ünïcödé -write_id3v1 1",
        "mp3",
        &["libmp3lame"],
        &[44_100],
        &[1],
    ));
    list.extend(forms("-b:a 64k", "mp2", &["mp2"], &[16_000, 24_000, 32_000, 44_100], &[1, 2]));
    list.extend(forms("-f matroska", "mka", &["libmp3lame"], &[44_100], &[1, 2]));
    list.extend(forms("-f mp4", "mp4", &["libmp3lame"], &[44_100], &[1]));
    all("mpeg_audio", &["ffmpeg"], &list);
}

#[test]
fn aac_and_alac() {
    let rates = [16_000, 24_000, 44_100, 48_000];
    let mut list = forms("-f adts", "aac", &["aac"], &rates, &[1, 2]);
    list.extend(forms("", "m4a", &["aac"], &rates, &[1, 2]));
    list.extend(forms("", "m4a", &["aac"], &[88_200, 96_000], &[1]));
    list.extend(forms("-movflags +faststart", "m4a", &["aac"], &[16_000, 44_100], &[1]));
    list.extend(forms(
        "-movflags frag_keyframe+empty_moov -frag_duration 500000",
        "m4a",
        &["aac"],
        &[16_000, 44_100],
        &[1, 2],
    ));
    list.extend(forms("-f mov", "mov", &["aac"], &[44_100], &[1, 2]));
    list.extend(forms("-f 3gp", "3gp", &["aac"], &[16_000], &[1]));
    list.extend(forms("-f matroska", "mka", &["aac"], &[16_000, 44_100], &[1, 2]));
    list.extend(forms("", "m4a", &["alac"], &[16_000, 44_100, 48_000], &[1, 2]));
    list.extend(forms("-f matroska", "mka", &["alac"], &[44_100], &[1, 2]));
    all("aac_and_alac", &["ffmpeg"], &list);
}

#[test]
fn flac_opus_and_vorbis() {
    let mut list = forms("", "flac", &["flac"], &[8_000, 16_000, 44_100, 48_000, 96_000], &[1, 2]);
    list.extend(forms("-sample_fmt s32", "flac", &["flac"], &[16_000, 48_000], &[1, 2]));
    list.extend(forms("-f ogg", "oga", &["flac"], &[16_000, 44_100], &[1, 2]));
    list.extend(forms("-f matroska", "mka", &["flac"], &[16_000, 44_100], &[1, 2]));
    list.extend(forms("-f mp4 -strict -2", "mp4", &["flac"], &[16_000, 44_100], &[1]));
    for (options, ending) in [
        ("", "opus"),
        ("-f webm", "webm"),
        ("-f webm -live 1 -cluster_time_limit 500", "webm"),
        ("-f matroska", "mka"),
        ("-f mp4", "mp4"),
    ] {
        list.extend(forms(
            &format!("-b:a 32k {options}"),
            ending,
            &["libopus"],
            &[16_000, 48_000],
            &[1, 2],
        ));
    }
    list.extend(forms(
        "-b:a 24k -frame_duration 60 -application voip",
        "opus",
        &["libopus"],
        &[16_000],
        &[1],
    ));
    for (options, ending) in [("", "ogg"), ("-f webm", "webm"), ("-f matroska", "mka")] {
        list.extend(forms(options, ending, &["libvorbis"], &[16_000, 44_100], &[1, 2]));
    }
    all("flac_opus_and_vorbis", &["ffmpeg"], &list);
}

#[test]
fn what_lame_flac_and_sox_write() {
    let of = |tool: &'static str, options: &str, ending: &'static str| Form {
        name: format!("{tool} {options} .{ending}"),
        tool,
        arguments: words(options),
        ending,
    };
    let mut list = vec![];
    for options in [
        "--quiet -b 32",
        "--quiet -V 5",
        "--quiet --abr 40",
        "--quiet -V 9 -t",
        "--quiet -b 64 --resample 44.1",
        "--quiet -p",
    ] {
        list.push(of("lame", options, "mp3"));
    }
    for options in ["-0", "-8", "-5 -b 1152", "-5 -b 4608 --no-padding", "-8 --no-seektable"] {
        list.push(of("flac", options, "flac"));
        list.push(of("flac", &format!("{options} --ogg"), "oga"));
    }
    for (options, ending) in [
        ("-e ima-adpcm", "wav"),
        ("-e ms-adpcm", "wav"),
        ("-b 24", "wav"),
        ("-e floating-point -b 32", "wav"),
        ("-e u-law", "wav"),
        ("-e a-law -r 8000", "wav"),
        ("-B", "wav"),
        ("", "sph"),
        ("-e u-law -r 8000", "sph"),
        ("", "w64"),
        ("", "au"),
        ("", "aiff"),
        ("", "aifc"),
        ("", "caf"),
    ] {
        list.push(of("sox", options, ending));
    }
    all("what_lame_flac_and_sox_write", &["ffmpeg", "lame", "flac", "sox"], &list);
}
