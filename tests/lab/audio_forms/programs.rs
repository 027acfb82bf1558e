//! Files as recorders, editors and browsers write them, on which other readers have stumbled: cut
//! them short in silence, played them at twice their speed, or took something else for samples.

use std::fs;
use std::path::Path;

use super::{RATE, bytes, chunk, codes, decode, format, lag, lights, seconds, sixteen, tone, wave};
use crate::audio::{flac, snr_db, wav_i16};

/// A kept file of the fuzz tests.
fn kept(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz").join(name)).unwrap()
}

#[test]
fn a_block_length_that_is_none_leaves_the_samples_what_their_bits_say() {
    let data = sixteen(&tone());
    let wanted = decode(&wav_i16(&tone(), 1, RATE as u32)).unwrap();
    // In bits instead of bytes, with the bytes a second right or wrong by the same; and none.
    for block in [16_u16, 0] {
        let mut header = format(1, 16, block);
        for byte_rate in [2 * RATE as u32, u32::from(block) * RATE as u32, 0] {
            header[16..20].copy_from_slice(&byte_rate.to_le_bytes());
            let got = decode(&wave(&[header.clone(), chunk(b"data", &data)]));
            assert_eq!(got.unwrap(), wanted, "{block} {byte_rate}");
        }
    }
    let bytes: Vec<u8> = tone().iter().map(|s| (128.0 + 127.0 * s) as u8).collect();
    let (got, warnings) = decode(&wave(&[format(1, 8, 8), chunk(b"data", &bytes)])).unwrap();
    assert!(warnings.is_empty() && snr_db(&tone(), &got) > 30.0, "{warnings:?}");
    // Twice too long, with bytes a second that deny it.
    let mut header = format(1, 16, 4);
    header[16..20].copy_from_slice(&(2 * RATE as u32).to_le_bytes());
    assert_eq!(decode(&wave(&[header, chunk(b"data", &data)])).unwrap(), wanted);
}

#[test]
fn a_format_chunk_of_forty_bytes_need_not_be_the_extensible_one() {
    let wide: Vec<u8> = tone()
        .iter()
        .flat_map(|s| ((s * 8_388_607.0) as i32).to_le_bytes()[..3].to_vec())
        .collect();
    let mut header = format(1, 24, 3);
    header.extend([0; 24]);
    header[4] = 40;
    let (got, warnings) = decode(&wave(&[header, chunk(b"data", &wide)])).unwrap();
    assert!(warnings.is_empty() && snr_db(&tone(), &got) > 80.0, "{warnings:?}");
}

#[test]
fn odd_chunks_with_and_without_a_byte_to_fill_them_up() {
    let data = sixteen(&tone());
    let wanted = decode(&wav_i16(&tone(), 1, RATE as u32)).unwrap();
    let mut instrument = chunk(b"inst", &[60, 0, 0, 0, 127, 0, 127]);
    let filled = wave(&[format(1, 16, 2), instrument.clone(), chunk(b"data", &data)]);
    instrument.pop();
    let bare = wave(&[format(1, 16, 2), instrument, chunk(b"data", &data)]);
    for bytes in [filled, bare] {
        assert_eq!(decode(&bytes).unwrap(), wanted);
    }
    // A data chunk that ends within a frame of two channels, with a chunk behind it and without.
    let stereo: Vec<u8> =
        data.as_chunks::<2>().0.iter().flat_map(|s| [s[0], s[1], s[0], s[1]]).collect();
    let mut header = format(1, 16, 4);
    header[10..12].copy_from_slice(&2_u16.to_le_bytes());
    for odd in [1, 2, 3] {
        let cut = &stereo[..stereo.len() - odd];
        for chunks in [
            vec![header.clone(), chunk(b"data", cut)],
            vec![header.clone(), chunk(b"data", cut), chunk(b"LIST", b"INFOISFT\x02\0\0\0x\0")],
        ] {
            let (got, warnings) = decode(&wave(&chunks)).unwrap();
            assert_eq!(got[..], wanted.0[..RATE - 1], "{odd}");
            assert_eq!(codes(&warnings), ["partial_sample"], "{odd}");
        }
    }
}

#[test]
fn flac_whose_header_counts_no_or_too_few_samples_is_read_to_its_end() {
    let whole = flac(&tone(), 1, RATE);
    let wanted = decode(&whole).unwrap().0;
    // The count is the last 36 bits of the eight bytes from 18 on.
    let with = |count: u64| {
        let mut bytes = whole.clone();
        let field = u64::from_be_bytes(bytes[18..26].try_into().unwrap());
        bytes[18..26].copy_from_slice(&(field >> 36 << 36 | count).to_be_bytes());
        bytes
    };
    // As streams have it.
    assert_eq!(decode(&with(0)).unwrap(), (wanted.clone(), vec![]));
    // Cut off, all but the frame that is not whole is there.
    let (got, _) = decode(with(0).get(..whole.len() * 6 / 10).unwrap()).unwrap();
    assert!((8_192..wanted.len()).contains(&got.len()) && got[..] == wanted[..got.len()]);
    for count in [RATE as u64 / 2, 1] {
        let (got, warnings) = decode(&with(count)).unwrap();
        assert_eq!(got.len(), wanted.len(), "{count}");
        assert_eq!(codes(&warnings), ["more_than_promised"], "{count}");
    }
}

#[test]
fn tags_with_pictures_and_times_are_no_sound() {
    let plain = bytes("id3_utf16.mp3");
    let (wanted, _) = decode(&plain).unwrap();
    // An APE tag of 100 KB behind, with its header and its footer.
    let size = 100_000_u32;
    let part = |flags: u32| {
        let mut part = b"APETAGEX".to_vec();
        for field in [2_000, size, 1, flags, 0, 0] {
            part.extend(field.to_le_bytes());
        }
        part
    };
    let mut ape = part(0xa000_0000);
    // A picture, which may look like a frame.
    ape.extend([0xff, 0xfb, 0x90, 0x64].repeat(size as usize / 4 - 8));
    ape.extend(part(0x8000_0000));
    let tagged = [plain.clone(), ape.clone()].concat();
    assert_eq!(decode(&tagged).unwrap(), (wanted.clone(), vec![]));
    let id3v1 = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    assert_eq!(decode(&[plain, ape, id3v1].concat()).unwrap(), (wanted, vec![]));
}

#[test]
fn what_a_browser_records_has_no_sizes_and_another_name() {
    let live = kept("matroska/live.webm");
    let (wanted, warnings) = decode(&live).unwrap();
    assert!(warnings.is_empty() && (seconds(&wanted) - 0.3).abs() < 0.02, "{warnings:?}");
    // Chrome leaves the clusters' sizes open too.
    let mut open = Vec::new();
    let mut at = 0;
    while at < live.len() {
        open.push(live[at]);
        at += 1;
        if open.ends_with(b"\x1f\x43\xb6\x75") {
            open.extend(b"\x01\xff\xff\xff\xff\xff\xff\xff");
            at += if live[at] & 0x80 != 0 { 1 } else { 2 };
        }
    }
    assert!(open.len() > live.len() + 10);
    assert_eq!(decode(&open).unwrap(), (wanted, vec![]));
}

#[test]
fn aac_whose_header_counts_the_rate_that_its_extension_would_have() {
    // A core at 24 kHz that says 48, as HE-AAC does: it is no shorter and no faster.
    let (got, warnings) = decode(&bytes("he_aac.m4a")).unwrap();
    assert!(
        warnings.is_empty() && (seconds(&got) - 2.2).abs() < 0.06,
        "{} {warnings:?}",
        seconds(&got)
    );
    let late = lag(&lights(), &got, 400);
    assert!(late.abs() <= 16, "{late} samples late");
    assert!(snr_db(&lights(), &got) > 3.0);
}

#[test]
fn silent_frames_of_an_mp3_take_their_time() {
    let plain = kept("mpeg/vbr.mp3");
    let (wanted, _) = decode(&plain).unwrap();
    // Frames of nothing but a header, as some encoders write silence, in front and behind.
    let head = &plain[..4];
    let next = (1..plain.len()).find(|at| plain[*at..].starts_with(&head[..2])).unwrap();
    let silent = [head.to_vec(), vec![0; next - 4]].concat();
    let (got, warnings) =
        decode(&[silent.repeat(20), plain.clone(), silent.repeat(20)].concat()).unwrap();
    let longer = seconds(&got) - seconds(&wanted);
    assert!((longer - 40.0 * 576.0 / 16_000.0).abs() < 0.02, "{longer} {warnings:?}");
}
