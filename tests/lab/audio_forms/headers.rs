//! Headers: odd ones, those that promise another length than there is, and metadata around them.

use super::{RATE, bytes, chunk, codes, decode, error, format, lag, lights, sixteen, tone, wave};
use crate::audio::{flac, snr_db, wav_i16};

#[test]
fn headers_of_streams_and_of_recorders_that_were_killed_go_to_the_end() {
    let whole = wav_i16(&tone(), 1, RATE as u32);
    let wanted = decode(&whole).unwrap().0;
    for (riff, data) in [
        (0_u32, 0_u32),
        (36, 0),
        (0, 2 * RATE as u32),
        (0x7fff_ffff, 0x7fff_ffff),
        (0xffff_ffff, 0xffff_ffff),
        (0x7fff_f024, 0x7fff_f000),
        (0x8000_0024, 0x8000_0000),
    ] {
        let mut bytes = whole.clone();
        bytes[4..8].copy_from_slice(&riff.to_le_bytes());
        bytes[40..44].copy_from_slice(&data.to_le_bytes());
        assert_eq!(decode(&bytes).unwrap(), (wanted.clone(), vec![]), "{riff:#x} {data:#x}");
    }
    // Nothing but a header is nothing but a header.
    assert!(error(&whole[..44]).contains("a file that holds no samples"));
    let empty =
        wave(&[format(1, 16, 2), chunk(b"data", &[]), chunk(b"LIST", b"INFOISFT\x02\0\0\0x\0")]);
    assert!(error(&empty).contains("a file that holds no samples"));
}

#[test]
fn more_samples_than_the_header_promises_are_read_and_told() {
    let data = sixteen(&tone());
    let mut small = wave(&[format(1, 16, 2), chunk(b"data", &data)]);
    small[40..44].copy_from_slice(&8_000_u32.to_le_bytes());
    let (got, warnings) = decode(&small).unwrap();
    assert_eq!((got.len(), codes(&warnings)), (RATE, vec!["more_than_promised"]));
    assert!(warnings[0].text.contains("24000 more follow"), "{warnings:?}");
    let two =
        wave(&[format(1, 16, 2), chunk(b"data", &data[..8_000]), chunk(b"data", &data[8_000..])]);
    let (got, warnings) = decode(&two).unwrap();
    assert_eq!((got.len(), codes(&warnings)), (RATE, vec!["more_than_promised"]));
    // Metadata behind them is none, nor is what fills the file up.
    let tagged = wave(&[
        format(1, 16, 2),
        chunk(b"data", &data),
        chunk(b"LIST", b"INFO"),
        chunk(b"id3 ", &[1; 31]),
    ]);
    assert_eq!(codes(&decode(&tagged).unwrap().1), [""; 0]);
    let padded = [wav_i16(&tone(), 1, 16_000), vec![0; 3_000]].concat();
    let (got, warnings) = decode(&padded).unwrap();
    assert_eq!((got.len(), warnings), (RATE, vec![]));
}

#[test]
fn odd_headers_are_read() {
    let data = sixteen(&tone());
    let wanted = decode(&wav_i16(&tone(), 1, 16_000)).unwrap().0;
    let mut long = format(1, 16, 2);
    long.extend([0; 4]);
    long[4] = 20;
    let odd = [
        ("fmt of 20 bytes", wave(&[long, chunk(b"data", &data)])),
        (
            "a late fmt",
            wave(&[chunk(b"JUNK", &[0; 8_000]), format(1, 16, 2), chunk(b"data", &data)]),
        ),
        (
            "a bad LIST",
            wave(&[
                format(1, 16, 2),
                chunk(b"LIST", b"INFOICRDISFTxxxxxxxxxxxxxx"),
                chunk(b"data", &data),
            ]),
        ),
        (
            "ID3 in front",
            [b"ID3\x04\0\0\0\0\x02\x00".to_vec(), vec![7; 256], wav_i16(&tone(), 1, 16_000)]
                .concat(),
        ),
        ("ID3v1 behind", [wav_i16(&tone(), 1, 16_000), b"TAG".to_vec(), vec![b' '; 125]].concat()),
    ];
    for (name, bytes) in odd {
        assert_eq!(decode(&bytes).unwrap(), (wanted.clone(), vec![]), "{name}");
    }
    let big: Vec<u8> = data.as_chunks::<2>().0.iter().flat_map(|b| [b[1], b[0]]).collect();
    let mut rifx =
        b"RIFX\0\0\0\0WAVEfmt \0\0\0\x10\0\x01\0\x01\0\0\x3e\x80\0\0\x7d\0\0\x02\0\x10data"
            .to_vec();
    rifx.extend((big.len() as u32).to_be_bytes());
    rifx.extend(&big);
    assert_eq!(decode(&rifx).unwrap(), (wanted.clone(), vec![]));
    let mut rf64 = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    for size in [0_u64, data.len() as u64, RATE as u64] {
        rf64.extend(size.to_le_bytes());
    }
    rf64.extend([0; 4]);
    rf64.extend(format(1, 16, 2));
    rf64.extend(b"data\xff\xff\xff\xff");
    rf64.extend(&data);
    assert_eq!(decode(&rf64).unwrap(), (wanted.clone(), vec![]));
    let mut au = b".snd\0\0\0\x18\xff\xff\xff\xff\0\0\0\x03\0\0\x3e\x80\0\0\0\x01".to_vec();
    au.extend(&big);
    assert_eq!(decode(&au).unwrap(), (wanted.clone(), vec![]));
    let mut sphere =
        b"NIST_1A\n   1024\nsample_count -i 16000\nsample_rate -i 16000\nchannel_count -i 1\n\
        sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_coding -s3 pcm\nend_head\n"
            .to_vec();
    sphere.resize(1_024, b' ');
    sphere.extend(&data);
    assert_eq!(decode(&sphere).unwrap(), (wanted, vec![]));
}

#[test]
fn samples_of_more_bytes_than_their_bits_need_are_not_guessed() {
    let data = sixteen(&tone());
    let refused = error(&wave(&[format(1, 16, 4), chunk(b"data", &data)]));
    assert!(refused.contains("WAV with 16 bits in 4 bytes"), "{refused}");
    let refused = error(&wave(&[format(1, 8, 2), chunk(b"data", &data)]));
    assert!(refused.contains("WAV with 8 bits in 2 bytes"), "{refused}");
}

#[test]
fn an_extensible_header_is_read_where_its_guid_is_made_of_a_tag() {
    let data = sixteen(&tone());
    let wanted = decode(&wav_i16(&tone(), 1, 16_000)).unwrap();
    let extensible = |rest: &[u8]| {
        let mut body = format(0xfffe, 16, 2);
        body.extend(b"\x16\0\x10\0\x04\0\0\0\x01\0");
        body.extend(rest);
        body[4] = (body.len() - 8) as u8;
        wave(&[body, chunk(b"data", &data)])
    };
    let microsoft = extensible(b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71");
    assert_eq!(decode(&microsoft).unwrap(), wanted);
    let ambisonic = extensible(b"\0\0\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\0\0\0");
    assert_eq!(decode(&ambisonic).unwrap(), wanted);
    let other = error(&extensible(&[0x12; 14]));
    assert!(other.contains("WAV with the unknown coding 0xfffe"), "{other}");
}

#[test]
fn twenty_four_bits_lie_where_they_lie() {
    let wide: Vec<i32> = tone().iter().map(|s| (s * 8_388_607.0) as i32).collect();
    let high: Vec<u8> = wide.iter().flat_map(|v| (v << 8).to_le_bytes()).collect();
    let low: Vec<u8> = wide.iter().flat_map(|v| v.to_le_bytes()).collect();
    for data in [high, low] {
        let (got, warnings) = decode(&wave(&[format(1, 24, 4), chunk(b"data", &data)])).unwrap();
        assert!(warnings.is_empty() && snr_db(&tone(), &got) > 80.0, "{warnings:?}");
    }
    // QuickTime's are big-endian unless it says otherwise.
    let (got, warnings) = decode(&bytes("s24be.mov")).unwrap();
    assert!(warnings.is_empty() && snr_db(&lights(), &got) > 60.0, "{warnings:?}");
    let (got, warnings) = decode(&bytes("mulaw.mov")).unwrap();
    assert!(warnings.is_empty() && snr_db(&lights(), &got) > 20.0, "{warnings:?}");
}

#[test]
fn metadata_is_passed_over_whatever_it_holds() {
    let (got, warnings) = decode(&bytes("id3_utf16.mp3")).unwrap();
    assert!(got.len() > 60_000 && warnings.is_empty(), "{warnings:?}");
    let plain = flac(&tone(), 1, 16_000);
    let wanted = decode(&plain).unwrap();
    let id3 = [b"ID3\x03\0\0\0\x02\0\0".to_vec(), vec![b'x'; 32_768]].concat();
    let trailing = [b"TAG".to_vec(), vec![b' '; 125]].concat();
    assert_eq!(decode(&[id3, plain.clone()].concat()).unwrap(), wanted);
    assert_eq!(decode(&[plain.clone(), trailing].concat()).unwrap(), wanted);
    // A cue sheet that is no CD's, as the first block behind the header.
    let mut cue = plain[..42].to_vec();
    cue[4] &= 0x7f;
    cue.extend([0x05, 0, 1, 0x8c + 36]);
    cue.extend([0; 396 + 36]);
    let rest = if plain[4] & 0x80 == 0 {
        plain[42..].to_vec()
    } else {
        [vec![0x81, 0, 0, 0], plain[42..].to_vec()].concat()
    };
    cue.extend(rest);
    assert_eq!(decode(&cue).unwrap().0.len(), RATE);
}

#[test]
fn the_last_box_of_an_mp4_may_go_to_the_end_without_saying_its_size() {
    let whole = bytes("edit_list_1s.m4a");
    let at = whole.windows(4).position(|name| name == b"moov").unwrap() - 4;
    let mut without = whole.clone();
    without[at..at + 4].fill(0);
    assert_ne!(whole, without);
    assert_eq!(decode(&without).unwrap(), decode(&whole).unwrap());
}

#[test]
fn mp4_says_where_the_recording_begins() {
    let (got, warnings) = decode(&bytes("opus_in_mp4.mp4")).unwrap();
    let (ogg, _) = decode(&bytes("opus_in_ogg.opus")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(lag(&ogg, &got, 400).abs() <= 8, "{}", lag(&ogg, &got, 400));
    let (got, _) = decode(&bytes("edit_list_1s.m4a")).unwrap();
    let late = lag(&lights(), &got[16_000 - 400..], 400) - 400;
    assert!(late.abs() <= 16, "{late} samples from 1 s");
    let (got, warnings) = decode(&bytes("flac.mka")).unwrap();
    assert!(warnings.is_empty() && snr_db(&lights(), &got) > 80.0, "{warnings:?}");
}
