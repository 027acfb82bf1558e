//! What symphonia leaves out of MP4 and QuickTime files: how PCM is written, where the recording
//! begins and ends in its track, when a fragment is due, and what a track is that can't be decoded.

use std::io;

use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::io::MediaSource;

use super::layout::{Coding, Layout, Number, pcm};
use super::mp4_boxes::{be16, be32, be64, boxes, inner};
use super::mp4_fragments::{Fragments, run_samples};
use super::view::read_at;

/// The most bytes of a box that is held in memory.
const MOST_BYTES: u64 = 64 << 20;
/// Boxes walked over at most at one level.
const MOST_BOXES: usize = 1 << 20;

/// What part of a track is the recording, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Edit {
    /// Silence in front.
    pub(super) silence: f64,
    /// What of the track is left out in front: what the encoder put there.
    pub(super) skip: f64,
    /// What of it is then heard; all where there is none.
    pub(super) keep: Option<f64>,
    /// Whether there are further parts, which are not put together.
    pub(super) has_more: bool,
}

/// A track of sound.
#[derive(Debug)]
pub(super) struct Sound {
    pub(super) id: u32,
    /// The four characters of its coding.
    pub(super) name: [u8; 4],
    pub(super) edit: Edit,
    /// Where its samples lie, for PCM; or in words why they can't be read.
    pub(super) layout: Option<Result<Layout, String>>,
    /// Of a fragmented file: the time stamps by the fragments' durations at which another time
    /// is due, and how much later that is.
    pub(super) shifts: Vec<(i64, i64)>,
}

/// A file.
#[derive(Debug, Default)]
pub(super) struct Movie {
    /// Whether it says of which kind it is, without which the demuxer takes no file.
    pub(super) has_type: bool,
    /// Whether it has the index of its samples.
    pub(super) has_index: bool,
    /// Bytes of a fragment that its header promises and the file lacks.
    pub(super) lacks: u64,
    /// Samples of all runs of all fragments.
    pub(super) run_samples: u64,
    /// Whether a part of the index is larger, or there are more boxes, than is looked through.
    pub(super) is_beyond: bool,
    /// The size of a last box that says no more than that it goes to the file's end, written out.
    pub(super) patches: Vec<(u64, u8)>,
    pub(super) sounds: Vec<Sound>,
}

impl Sound {
    /// Whether it can be decoded, as far as its header tells.
    pub(super) fn is_readable(&self) -> bool {
        match &self.layout {
            Some(layout) => layout.is_ok(),
            None => [b"mp4a", b"alac", b"fLaC", b"Opus", b".mp3"].contains(&&self.name),
        }
    }
}

impl Movie {
    /// What of a file of `length` bytes would take the demuxer longer than any recording.
    pub(super) fn beyond_reason(&self, length: u64) -> Option<&'static str> {
        if self.is_beyond {
            return Some("MP4 with an index of more than 64 MiB, or of a million parts");
        }
        let is_endless = self.run_samples > length;
        is_endless.then_some("MP4 with fragments of more samples than the file has bytes")
    }

    /// What its tracks of sound are.
    pub(super) fn names(&self) -> String {
        let name = |sound: &Sound| match &sound.layout {
            Some(Err(found)) => found.clone(),
            _ => shown(sound.name),
        };
        let names: Vec<String> = self.sounds.iter().map(name).collect();
        format!("MP4 with {}", names.join(" and "))
    }
}

/// The size of a box at `at` that has `size` bytes and does not say so: whoever goes on inside it
/// would take the samples for boxes. From 4 GiB on there is no room to write it.
fn written_out(at: u64, size: u64) -> Vec<(u64, u8)> {
    let bytes = u32::try_from(size).map(u32::to_be_bytes);
    bytes.map_or_else(|_| Vec::new(), |bytes| (at..).zip(bytes).collect())
}

/// Reads the boxes of a file of `length` bytes that are not samples.
pub(super) fn read(file: &mut dyn MediaSource, length: u64) -> io::Result<Movie> {
    let mut movie = Movie::default();
    let mut header = None;
    let mut durations: Vec<Fragments> = Vec::new();
    let (mut at, mut is_fragmented, mut count_of_boxes) = (0, false, 0);
    while at < length {
        count_of_boxes += 1;
        if count_of_boxes > MOST_BOXES {
            movie.is_beyond = true;
            break;
        }
        let mut head = [0; 16];
        let count = read_at(file, at, &mut head)?;
        let (Some(size), true) = (be32(&head, 0), count >= 8) else { break };
        let (start, size) = match size {
            0 => {
                movie.patches = written_out(at, length - at);
                (8, length - at)
            }
            1 if count == 16 => (16, be64(&head, 8).unwrap_or(0)),
            size => (8, u64::from(size)),
        };
        if size < start {
            break;
        }
        let name = &head[4..8];
        movie.has_type |= name == b"ftyp";
        movie.has_index |= name == b"moov";
        is_fragmented |= name == b"moof";
        if is_fragmented {
            movie.lacks = at.saturating_add(size).saturating_sub(length);
        }
        if name == b"moov" || name == b"moof" {
            let held = (size - start).min(length - at);
            if held > MOST_BYTES {
                movie.is_beyond = true;
                break;
            }
            let mut body = vec![0; held as usize];
            let count = read_at(file, at + start, &mut body)?;
            body.truncate(count);
            if name == b"moof" {
                movie.run_samples = movie.run_samples.saturating_add(run_samples(&body));
                durations.iter_mut().for_each(|fragments| fragments.add(&body));
            } else if header.is_none() {
                movie.sounds = sounds(&body, length);
                durations =
                    movie.sounds.iter().map(|sound| Fragments::new(sound.id, &body)).collect();
                header = Some(body);
            }
        }
        at = at.saturating_add(size);
    }
    for (sound, fragments) in movie.sounds.iter_mut().zip(durations) {
        sound.shifts = fragments.shifts;
    }
    Ok(movie)
}

/// The tracks of sound in a `moov` box.
fn sounds(movie: &[u8], length: u64) -> Vec<Sound> {
    let scale = |head: Option<&[u8]>| -> Option<u32> {
        let head = head?;
        be32(head, if head.first() == Some(&1) { 20 } else { 12 }).filter(|scale| *scale > 0)
    };
    let movie_scale = scale(inner(movie, &[b"mvhd"])).unwrap_or(1_000);
    let tracks = boxes(movie).filter(|(name, _)| name == b"trak").filter_map(|(_, track)| {
        let media = inner(track, &[b"mdia"])?;
        if inner(media, &[b"hdlr"])?.get(8..12)? != b"soun" {
            return None;
        }
        let head = inner(track, &[b"tkhd"])?;
        let id = be32(head, if head.first() == Some(&1) { 20 } else { 12 })?;
        let scale = scale(inner(media, &[b"mdhd"]))?;
        let table = inner(media, &[b"minf", b"stbl"])?;
        let (name, entry) = boxes(inner(table, &[b"stsd"])?.get(8..)?).next()?;
        let mut edit = inner(track, &[b"edts", b"elst"])
            .map(|list| edit(list, movie_scale, scale))
            .unwrap_or_default();
        if edit.skip == 0.0 && edit.silence == 0.0 {
            edit = gapless(movie, scale).unwrap_or(edit);
        }
        let is_fragmented = inner(movie, &[b"mvex"]).is_some();
        let layout = layout(name, entry, table, length).map(|layout| match layout {
            Ok(_) if is_fragmented => Err(format!("PCM in fragments ({})", shown(name))),
            layout => layout,
        });
        Some(Sound { id, name, edit, layout, shifts: Vec::new() })
    });
    tracks.collect()
}

/// The part of a track that an edit list has.
fn edit(list: &[u8], movie_scale: u32, scale: u32) -> Edit {
    let wide = list.first() == Some(&1);
    let size = if wide { 20 } else { 12 };
    let mut edit = Edit::default();
    let mut any = false;
    let count = be32(list, 4).unwrap_or(0) as usize;
    for entry in list.get(8..).unwrap_or_default().chunks_exact(size).take(count) {
        let (duration, start) = if wide {
            (be64(entry, 0), be64(entry, 8).map(|start| start as i64))
        } else {
            (be32(entry, 0).map(u64::from), be32(entry, 4).map(|start| i64::from(start as i32)))
        };
        let seconds = duration.unwrap_or(0) as f64 / f64::from(movie_scale);
        match start {
            Some(start) if start >= 0 && !any => {
                any = true;
                edit.skip = start as f64 / f64::from(scale);
                edit.keep = (seconds > 0.0).then_some(seconds);
            }
            Some(-1) if !any => edit.silence += seconds,
            _ => edit.has_more = true,
        }
    }
    if edit.has_more {
        // Better more than is wanted than less.
        edit.keep = None;
    }
    edit
}

/// What iTunes and the encoders after it say of an encoder's delay.
fn gapless(movie: &[u8], scale: u32) -> Option<Edit> {
    let at = movie.windows(8).position(|bytes| bytes == b"iTunSMPB")?;
    let data = at + movie.get(at..)?.windows(4).position(|bytes| bytes == b"data")?;
    let text = movie.get(data + 12..)?;
    let text = &text[..text.len().min(128)];
    let fields: Vec<u64> = String::from_utf8_lossy(text)
        .split_whitespace()
        .map_while(|field| u64::from_str_radix(field.get(..field.len().min(16))?, 16).ok())
        .collect();
    let [_, delay, _, length, ..] = fields[..] else { return None };
    let seconds = |samples: u64| samples as f64 / f64::from(scale);
    let keep = (length > 0).then(|| seconds(length));
    (delay < u64::from(scale)).then(|| Edit { skip: seconds(delay), keep, ..Edit::default() })
}

/// Where the samples of a track lie that is PCM.
fn layout(
    name: [u8; 4],
    entry: &[u8],
    table: &[u8],
    length: u64,
) -> Option<Result<Layout, String>> {
    let version = be16(entry, 8)?;
    let (mut channels, mut bits) = (be16(entry, 16)?, u32::from(be16(entry, 18)?));
    let mut rate = be32(entry, 24)? >> 16;
    let (mut flags, mut rest) = (0, 28);
    match version {
        1 => rest = 44,
        2 => {
            rest = 64;
            rate = f64::from_bits(be64(entry, 32)?).clamp(0.0, 4e9).round() as u32;
            channels = u16::try_from(be32(entry, 40)?).unwrap_or(u16::MAX);
            bits = be32(entry, 48)?;
            flags = be32(entry, 52)?;
        }
        _ => {}
    }
    let inside = entry.get(rest..).unwrap_or_default();
    let is_little = inner(inside, &[b"wave", b"enda"])
        .or_else(|| inner(inside, &[b"enda"]))
        .is_some_and(|order| be16(order, 0) == Some(1));
    let iso = inner(inside, &[b"pcmC"]).and_then(|pcm| Some((*pcm.get(4)?, *pcm.get(5)?)));
    let bytes = u64::from(bits.div_ceil(8));
    let (number, bytes, big) = match &name {
        b"in24" => (Number::Signed, 3, !is_little),
        b"in32" => (Number::Signed, 4, !is_little),
        b"fl32" => (Number::Float, 4, !is_little),
        b"fl64" => (Number::Float, 8, !is_little),
        b"twos" => (Number::Signed, bytes, !is_little),
        b"sowt" => (Number::Signed, bytes, false),
        b"raw " | b"NONE" if bytes == 1 => (Number::Unsigned, 1, true),
        b"raw " | b"NONE" => (Number::Signed, bytes, true),
        b"lpcm" => {
            let number = match flags & 5 {
                flags if flags & 1 != 0 => Number::Float,
                4 => Number::Signed,
                _ => Number::Unsigned,
            };
            (number, bytes, flags & 2 != 0)
        }
        b"ipcm" | b"fpcm" => {
            let (little, size) = iso?;
            let number = if &name == b"fpcm" { Number::Float } else { Number::Signed };
            (number, u64::from(size / 8), little & 1 == 0)
        }
        b"alaw" | b"ulaw" => (Number::Signed, 1, true),
        _ => return None,
    };
    let codec = match &name {
        b"alaw" => Some(id::CODEC_ID_PCM_ALAW),
        b"ulaw" => Some(id::CODEC_ID_PCM_MULAW),
        _ => pcm(number, bytes, big),
    };
    let Some(codec) = codec else {
        return Some(Err(format!("{} of {bits} bits", shown(name))));
    };
    let frame = bytes * u64::from(channels.max(1));
    let spans = spans(table, frame)?;
    let promised = spans.iter().fold(0_u64, |sum, span| sum.saturating_add(span.1)) / frame;
    let clipped =
        spans.into_iter().map(|(start, size)| (start, size.min(length.saturating_sub(start))));
    Some(Ok(Layout {
        coding: Coding::Blocks { codec, bytes: frame, frames: 1, narrow: None },
        rate,
        channels,
        spans: clipped.collect(),
        promised: Some(promised),
        notes: Vec::new(),
    }))
}

/// Start and length of the chunks of a track with samples of `frame` bytes, joined where they
/// follow each other.
fn spans(table: &[u8], frame: u64) -> Option<Vec<(u64, u64)>> {
    let sizes = inner(table, &[b"stsz"])?;
    // In QuickTime a frame of PCM counts as one byte.
    let fixed = match be32(sizes, 4)? {
        0 => None,
        1 => Some(frame),
        size => Some(u64::from(size).max(frame)),
    };
    let total = be32(sizes, 8)? as usize;
    let runs = inner(table, &[b"stsc"])?;
    let short = inner(table, &[b"stco"]);
    let long = inner(table, &[b"co64"]);
    let chunks = be32(short.or(long)?, 4)?;
    let offset = |chunk: usize| match (short, long) {
        (Some(short), _) => be32(short, 8 + 4 * chunk).map(u64::from),
        (None, Some(long)) => be64(long, 8 + 8 * chunk),
        (None, None) => None,
    };
    let mut spans: Vec<(u64, u64)> = Vec::new();
    let (mut run, mut sample) = (0, 0_usize);
    for chunk in 0..chunks {
        let Some(start) = offset(chunk as usize) else { break };
        while be32(runs, 8 + 12 * (run + 1)).is_some_and(|first| first <= chunk + 1) {
            run += 1;
        }
        let count = be32(runs, 12 + 12 * run)? as usize;
        let count = count.min(total.saturating_sub(sample));
        let bytes = match fixed {
            Some(size) => size.saturating_mul(count as u64),
            None => {
                (sample..sample + count).map_while(|n| be32(sizes, 12 + 4 * n)).map(u64::from).sum()
            }
        };
        sample += count;
        match spans.last_mut() {
            Some(last) if last.0 + last.1 == start => last.1 += bytes,
            _ => spans.push((start, bytes)),
        }
    }
    Some(spans)
}

/// The name of a coding for people.
pub(super) fn shown(name: [u8; 4]) -> String {
    let known = match &name {
        b"ac-3" => "AC-3",
        b"ec-3" => "E-AC-3",
        b"ac-4" => "AC-4",
        b"samr" => "AMR",
        b"sawb" => "AMR-WB",
        b"ima4" => "IMA ADPCM",
        b"QDM2" | b"QDMC" => "QDesign Music",
        b"Qclp" | b"sqcp" => "Qualcomm PureVoice",
        b"agsm" => "GSM 6.10",
        b"dtsc" | b"dtsh" | b"dtsl" | b"dtse" => "DTS",
        b"mlpa" => "TrueHD",
        b"mp4a" => "AAC",
        b"alac" => "ALAC",
        _ => return format!("the coding {:?}", String::from_utf8_lossy(&name)),
    };
    known.to_owned()
}
