//! Recordings of hours that are small, or take no room: frames of silence, again and again, put
//! together by hand from the formats' specifications.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// 8-bit u-law at 8 kHz with a WAV header; the samples, all zero bytes, take no room.
pub fn ulaw(path: &Path, hours: u32) -> Result<()> {
    let data = hours * 3600 * 8_000;
    let mut header = b"RIFF".to_vec();
    header.extend((36 + data).to_le_bytes());
    header.extend(b"WAVEfmt \x10\0\0\0\x07\0\x01\0");
    header.extend(8_000_u32.to_le_bytes());
    header.extend(8_000_u32.to_le_bytes());
    header.extend([1, 0, 8, 0]);
    header.extend(b"data");
    header.extend(data.to_le_bytes());
    let mut file = File::create(path)?;
    file.write_all(&header)?;
    file.set_len(header.len() as u64 + u64::from(data))
}

/// FLAC at 16 kHz: frames of 4,096 samples of one value each (RFC 9639).
pub fn flac(path: &Path, hours: u32) -> Result<()> {
    let frames = hours * 3600 * 16_000 / 4_096;
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0")?;
    // 20 bits of rate, 3 of channels less 1, 5 of bits less 1, 36 of samples.
    let samples = u64::from(frames) * 4_096;
    let packed = (16_000_u64 << 44) | (15 << 36) | samples;
    file.write_all(&packed.to_be_bytes())?;
    file.write_all(&[0; 16])?;
    for number in 0..frames {
        // 4,096 samples at 16 kHz, mono, 16 bits.
        let mut frame = vec![0xff, 0xf8, 0xc5, 0x08];
        let mut utf8 = [0; 4];
        // The numbers of frames are coded as UTF-8 codes characters; none here is a surrogate.
        let number = char::from_u32(if number < 0xd800 { number } else { number + 0x800 });
        frame.extend(number.unwrap_or('\0').encode_utf8(&mut utf8).as_bytes());
        frame.push(crc(&frame, 8, 0x07) as u8);
        // A constant subframe: a step every other frame.
        let value: i16 =
            if number.is_some_and(|n| (n as u32).is_multiple_of(2)) { 300 } else { -300 };
        frame.push(0);
        frame.extend(value.to_be_bytes());
        frame.extend((crc(&frame, 16, 0x8005) as u16).to_be_bytes());
        file.write_all(&frame)?;
    }
    file.flush()
}

/// MP3 at 32 kHz and 32 kb/s: frames of 1,152 samples without anything in them.
pub fn mp3(path: &Path, hours: u32) -> Result<()> {
    let mut frame = [0; 144];
    frame[..4].copy_from_slice(&[0xff, 0xfb, 0x18, 0xc0]);
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..hours * 3600 * 32_000 / 1_152 {
        file.write_all(&frame)?;
    }
    file.flush()
}

/// Opus in Ogg: packets of 20 ms of silence, a second a page (RFC 7845).
pub fn opus(path: &Path, hours: u32) -> Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut number = 0;
    let mut page = |kind: u8, granule: u64, packets: &[&[u8]]| {
        let mut page = b"OggS\0".to_vec();
        page.push(kind);
        page.extend(granule.to_le_bytes());
        page.extend(7_u32.to_le_bytes());
        page.extend(u32::to_le_bytes(number));
        page.extend([0; 4]);
        page.push(packets.len() as u8);
        page.extend(packets.iter().map(|packet| packet.len() as u8));
        packets.iter().for_each(|packet| page.extend(*packet));
        let check = crc(&page, 32, 0x04c1_1db7);
        page[22..26].copy_from_slice(&(check as u32).to_le_bytes());
        number += 1;
        file.write_all(&page)
    };
    page(2, 0, &[b"OpusHead\x01\x01\0\0\x80\x3e\0\0\0\0\0"])?;
    page(0, 0, &[b"OpusTags\x04\0\0\0made\0\0\0\0"])?;
    let seconds = u64::from(hours) * 3600;
    for second in 1..=seconds {
        let last = if second == seconds { 4 } else { 0 };
        page(last, second * 48_000, &[b"\xf8\xff\xfe".as_slice(); 50])?;
    }
    file.flush()
}

/// A cyclic redundancy check of `width` bits, the highest first, from zero.
fn crc(bytes: &[u8], width: u32, polynomial: u64) -> u64 {
    let top = 1 << (width - 1);
    let mask = (top << 1) - 1;
    bytes.iter().fold(0, |check, &byte| {
        (0..8).fold(check ^ (u64::from(byte) << (width - 8)), |check, _| {
            let shifted = (check << 1) & mask;
            if check & top == 0 { shifted } else { shifted ^ polynomial }
        })
    })
}
