//! What is told from its bytes to be no signed 16-bit samples: text, numbers of another width,
//! compressed audio and archives that begin without a header of their own.
//!
//! Each rule asks for what real sound never has, silence, clipping and made tones included: a
//! refusal of true samples would be worse than noise that is judged.

/// Most frames of compressed audio that are followed.
const FRAMES: usize = 3;
/// Bytes of a packet of an MPEG transport stream, and packets that are looked at.
const PACKET: usize = 188;
const PACKETS: usize = 8;
/// Least bytes of text by which it is told.
const TEXT: usize = 32;
/// Least numbers that are not zero by which floating-point numbers are told.
const NUMBERS: usize = 64;
/// Of them, the least share with each sign, and the largest that is nearly zero, as one in so many.
const SHARE: usize = 20;
/// Least orders of magnitude (by powers of two) among them: a made tone has one or two.
const MAGNITUDES: u32 = 4;

/// A name, and what tells whether bytes are of it.
type Rule = (&'static str, fn(&[u8]) -> bool);

/// The name of what `bytes`, the first of a stream, are instead of signed 16-bit samples.
pub(super) fn form(bytes: &[u8]) -> Option<&'static str> {
    let rules: [Rule; 7] = [
        ("tar", is_tar),
        ("MP3", |bytes| is_chain(bytes, mpeg_frame)),
        ("ADTS", |bytes| is_chain(bytes, adts_frame)),
        ("MPEG transport stream", is_transport),
        ("text", is_text),
        ("32-bit floating-point", |bytes| are_numbers(bytes.as_chunks::<4>().0, single)),
        ("64-bit floating-point", |bytes| are_numbers(bytes.as_chunks::<8>().0, double)),
    ];
    rules.into_iter().find(|(_, is)| is(bytes)).map(|(name, _)| name)
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(257..263).is_some_and(|mark| matches!(mark, b"ustar\0" | b"ustar "))
}

/// Whether frames follow each other, of one kind, each as long as `read` says.
fn is_chain(bytes: &[u8], read: fn(&[u8]) -> Option<(u32, usize)>) -> bool {
    let (mut at, mut first) = (0, None);
    for _ in 0..FRAMES {
        let Some((kind, length)) = bytes.get(at..).and_then(read) else { return false };
        if *first.get_or_insert(kind) != kind {
            return false;
        }
        at += length;
    }
    true
}

/// Kind and length of a frame of MPEG audio, by its first four bytes.
fn mpeg_frame(bytes: &[u8]) -> Option<(u32, usize)> {
    let [a, b, c, _] = *bytes.first_chunk::<4>()?;
    let (version, layer) = (b >> 3 & 3, b >> 1 & 3);
    let (rate, step) = (c >> 4, c >> 2 & 3);
    let free_or_bad = matches!(rate, 0 | 15) || step == 3 || layer == 0 || version == 1;
    if a != 0xff || b & 0xe0 != 0xe0 || free_or_bad {
        return None;
    }
    let first = version == 3;
    let kilobits: [usize; 15] = match (first, layer) {
        (true, 3) => [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
        (true, 2) => [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
        (true, _) => [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
        (false, 3) => [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
        (false, _) => [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    };
    let hertz = [44_100, 48_000, 32_000][usize::from(step)] >> [2, 0, 1, 0][usize::from(version)];
    let (bits, padding) = (kilobits[usize::from(rate)] * 1_000, usize::from(c >> 1 & 1));
    let length = match layer {
        3 => (12 * bits / hertz + padding) * 4,
        1 if !first => 72 * bits / hertz + padding,
        _ => 144 * bits / hertz + padding,
    };
    // All but bit rate, padding and what the encoder may change from frame to frame.
    Some((u32::from_be_bytes([a, b, c & 0x0c, 0]), length))
}

/// Kind and length of a frame of AAC in ADTS.
fn adts_frame(bytes: &[u8]) -> Option<(u32, usize)> {
    let [a, b, c, d, e, f, _] = *bytes.first_chunk::<7>()?;
    let length = usize::from(d & 3) << 11 | usize::from(e) << 3 | usize::from(f >> 5);
    let is_frame = a == 0xff && b & 0xf6 == 0xf0 && c >> 2 & 15 < 13 && length >= 7;
    is_frame.then(|| (u32::from_be_bytes([a, b, c & 0xfd, d & 0xc0]), length))
}

/// Whether packets follow each other that are not all the same: a tone of that period is.
fn is_transport(bytes: &[u8]) -> bool {
    let packets: Vec<&[u8]> = bytes.chunks_exact(PACKET).take(PACKETS).collect();
    // A sync byte, no transport error, and a payload or an adaptation field.
    let is_packet = |packet: &&[u8]| packet[0] == 0x47 && packet[1] < 0x80 && packet[3] & 0x30 != 0;
    packets.len() == PACKETS
        && packets.iter().all(is_packet)
        && packets.windows(2).any(|pair| pair[0][1..4] != pair[1][1..4])
}

/// Whether all of it is written in letters: samples would be large, positive and nothing else.
fn is_text(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // The last character may be cut off.
        Err(error) if error.error_len().is_none() => {
            let whole = &bytes[..error.valid_up_to()];
            std::str::from_utf8(whole).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    text.len() >= TEXT
        && !text.contains(odd)
        && text.contains([' ', '\n'])
        && bytes.windows(2).any(|pair| pair[0] != pair[1])
}

/// Whether `words` are floating-point numbers as audio has them. The upper half of each would be a
/// sample that only ever takes values far from zero, of another range on either side.
///
/// Nothing is copied: what is looked at may be audio.
fn are_numbers<const N: usize>(words: &[[u8; N]], number: fn([u8; N]) -> f64) -> bool {
    let (mut count, mut tiny, mut negative, mut magnitudes) = (0, 0, 0, 0_u64);
    for x in words.iter().map(|&word| number(word)).filter(|&x| x != 0.0) {
        // No sound is as loud.
        if x.is_nan() || x.abs() >= 2.0 {
            return false;
        }
        count += 1;
        negative += usize::from(x < 0.0);
        // A computed tone has a few numbers that are nearly zero.
        tiny += usize::from(x.abs() < 1e-9);
        magnitudes |= 1 << (-x.abs().log2().floor()).clamp(0.0, 63.0) as u32;
    }
    count >= NUMBERS
        && 2 * count >= words.len()
        && SHARE * tiny < count
        && SHARE * negative.min(count - negative) >= count
        && magnitudes.count_ones() >= MAGNITUDES
}

fn single(word: [u8; 4]) -> f64 {
    f32::from_le_bytes(word).into()
}

fn double(word: [u8; 8]) -> f64 {
    f64::from_le_bytes(word)
}
