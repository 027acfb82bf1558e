//! Samples in blocks: PCM, A-law, u-law and ADPCM behind every header.

use super::{all, forms};

#[test]
fn wav_of_every_kind() {
    let pcm = [
        "pcm_u8",
        "pcm_s16le",
        "pcm_s24le",
        "pcm_s32le",
        "pcm_f32le",
        "pcm_f64le",
        "pcm_alaw",
        "pcm_mulaw",
    ];
    let adpcm = ["adpcm_ima_wav", "adpcm_ms"];
    let mut list = forms("-f wav", "wav", &pcm, &[8_000, 16_000, 44_100, 48_000], &[1, 2]);
    list.extend(forms("-f wav", "wav", &adpcm, &[8_000, 11_025, 22_050, 44_100], &[1, 2]));
    list.extend(forms(
        "-f wav -rf64 always",
        "wav",
        &["pcm_s16le", "pcm_s24le", "pcm_f32le"],
        &[16_000, 96_000],
        &[1, 6],
    ));
    list.extend(forms(
        "-f w64",
        "w64",
        &["pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_alaw"],
        &[16_000, 48_000],
        &[1, 2],
    ));
    list.extend(forms(
        "-f wav -write_bext 1 -metadata title=x",
        "wav",
        &["pcm_s16le"],
        &[16_000, 22_050, 32_000],
        &[1],
    ));
    list.extend(forms("-f wav", "wav", &["libmp3lame"], &[16_000, 44_100], &[1, 2]));
    all("wav_of_every_kind", &["ffmpeg"], &list);
}

#[test]
fn other_headers_in_front_of_pcm() {
    let big = [
        "pcm_s8",
        "pcm_s16be",
        "pcm_s24be",
        "pcm_s32be",
        "pcm_f32be",
        "pcm_f64be",
        "pcm_alaw",
        "pcm_mulaw",
    ];
    let mut list = forms("-f aiff", "aiff", &big, &[8_000, 44_100], &[1, 2]);
    list.extend(forms("-f au", "au", &big, &[8_000, 48_000], &[1, 2]));
    list.extend(forms("-f aiff", "aifc", &["pcm_s16le"], &[16_000], &[1, 2]));
    list.extend(forms(
        "-f caf",
        "caf",
        &["pcm_s16be", "pcm_s16le", "pcm_s24be", "pcm_f32be", "pcm_mulaw", "alac"],
        &[16_000, 44_100],
        &[1, 2],
    ));
    list.extend(forms(
        "-f mov",
        "mov",
        &[
            "pcm_s16be",
            "pcm_s16le",
            "pcm_s24be",
            "pcm_s24le",
            "pcm_s32be",
            "pcm_f32be",
            "pcm_f32le",
            "pcm_f64be",
            "pcm_alaw",
            "pcm_mulaw",
            "pcm_u8",
        ],
        &[16_000, 48_000],
        &[1, 2],
    ));
    list.extend(forms(
        "-f matroska",
        "mka",
        &["pcm_s16le", "pcm_s24le", "pcm_f32le"],
        &[16_000, 44_100],
        &[1],
    ));
    all("other_headers_in_front_of_pcm", &["ffmpeg"], &list);
}
