//! Opening a file: what it is by its own magic, and the one reader of that format.

use std::fs::{self, File};
use std::io::{self, ErrorKind as IoKind, Read, Seek, SeekFrom};
use std::path::Path;

use symphonia::core::errors::{Error as SymphoniaError, Result as SymphoniaResult};
use symphonia::core::formats::{FormatOptions, FormatReader};
use symphonia::core::io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions, ReadBytes};
use symphonia::default::formats::{CafReader, FlacReader, IsoMp4Reader, MkvReader, OggReader};

use super::blocks::BlockReader;
use super::caf::{self, Caf};
use super::codec::guarded;
use super::demux::{Demuxer, Foreign};
use super::find_audio::missing;
use super::known::{Known, known};
use super::layout::{Coding, Layout, unread_bytes};
use super::mp4::{self, Edit};
use super::mp4_reader::Mp4Reader;
use super::stream::{self, StreamReader};
use super::view::{self, View, read_at};
use super::{aiff, flac, matroska, ogg, small, tags, wave};
use wakegate::audio::Warning;
use wakegate::error::{Error, ErrorKind, Result};

/// What can be read, for errors.
pub(super) const FORMATS: &str =
    "WAV, AIFF, AU, SPHERE, FLAC, MP3, AAC, M4A, CAF, WebM, Ogg Vorbis or Ogg Opus";

/// What helps where a file is of another form.
const FFMPEG_HINT: &str = "an ffmpeg that you have may read it: --ffmpeg hands it over, \
                           or make a WAV of it with `ffmpeg -i FILE FILE.wav`";

/// Bytes by which a file is known, and text shows.
const HEAD: usize = 4_096;

/// Most bytes between the end of a tag by its own account and what it belongs to.
const SLACK: usize = 64;

/// A file that is taken apart.
pub(super) struct Opened {
    pub(super) demuxer: Box<dyn Demuxer>,
    /// What part of its track is the recording.
    pub(super) edit: Edit,
    /// Frames that a header promises which knows them.
    pub(super) promised: Option<u64>,
    /// What was odd about the header.
    pub(super) notes: Vec<Warning>,
    /// What decodes it, if that is another program.
    pub(super) decoder: Option<&'static str>,
}

impl Opened {
    pub(super) fn new(demuxer: impl Demuxer + 'static) -> Self {
        let (edit, promised, notes, decoder) = (Edit::default(), None, Vec::new(), None);
        Self { demuxer: Box::new(demuxer), edit, promised, notes, decoder }
    }
}

/// Opens the file at `path`.
pub(super) fn open(path: &Path) -> Result<Box<dyn MediaSource>> {
    let unread = |e: io::Error| match e.kind() {
        IoKind::NotFound => missing(path),
        _ => Error::io("open", path, &e),
    };
    // Before it is opened: opening a pipe waits for somebody to write to it.
    let meta = fs::metadata(path).map_err(unread)?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::Io, format!("cannot read {}", path.display()))
            .expected("an audio file")
            .found(if meta.is_dir() { "a folder" } else { "a device or pipe" }));
    }
    Ok(Box::new(File::open(path).map_err(unread)?))
}

/// `bytes` as what the demuxers read.
pub(super) fn seekable(
    mut bytes: impl Read + Seek + Send + Sync + 'static,
    name: &Path,
) -> Result<Box<dyn MediaSource>> {
    let length = bytes
        .seek(SeekFrom::End(0))
        .and_then(|length| bytes.seek(SeekFrom::Start(0)).map(|_| length))
        .map_err(|e| Error::io("read", name, &e))?;
    Ok(Box::new(Bytes { bytes, length }))
}

struct Bytes<B> {
    bytes: B,
    length: u64,
}

impl<B: Read> Read for Bytes<B> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(out)
    }
}

impl<B: Seek> Seek for Bytes<B> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

impl<B: Read + Seek + Send + Sync> MediaSource for Bytes<B> {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

/// Takes the file with these `bytes` apart; `path` is their name in errors.
pub(super) fn take_apart(mut bytes: Box<dyn MediaSource>, path: &Path) -> Result<Opened> {
    let unread = |e: io::Error| Error::io("read", path, &e);
    let file = bytes.as_mut();
    let length = view::length(file).map_err(unread)?;
    let mut head = vec![0; HEAD];
    let count = read_at(file, 0, &mut head).map_err(unread)?;
    if count == 0 {
        return Err(cannot_decode(path)
            .expected("audio data")
            .found("an empty file")
            .hint("the recording may never have been written"));
    }
    let (start, end) = tags::around(file, length).map_err(unread)?;
    let count = if start > 0 { read_at(file, start, &mut head).map_err(unread)? } else { count };
    let head = &head[..count];
    let slack = if start > 0 { slack(head) } else { 0 };
    let (start, head) = (start + slack as u64, &head[slack..]);
    let view = View::new(bytes, &[(start, end.saturating_sub(start))]);
    match known(head) {
        Some(format) => of_known(format, view, path),
        None if head.is_empty() => Err(refused(path, "a tag without audio behind it")),
        None => of_stream(view, head, path),
    }
}

/// Bytes behind a tag in front of a file whose magic is known: some writers count a few bytes of
/// their tags too many or too few.
fn slack(head: &[u8]) -> usize {
    let is_sound = |known| !matches!(known, Known::Other(_) | Known::Silent(_));
    (0..SLACK.min(head.len())).find(|at| known(&head[*at..]).is_some_and(is_sound)).unwrap_or(0)
}

/// A file whose magic is known.
fn of_known(format: Known, mut view: View, path: &Path) -> Result<Opened> {
    let unread = |e: io::Error| Error::io("read", path, &e);
    let length = view.length();
    let layout = match format {
        Known::Wave | Known::Wave64 => wave::read(&mut view, length),
        Known::Aiff => aiff::read(&mut view, length),
        Known::Au => small::au(&mut view, length),
        Known::Sphere => small::sphere(&mut view, length),
        Known::Flac => {
            let patches = flac::patches(&mut view).map_err(unread)?;
            let second = flac::second(&mut view, length).map_err(unread)?;
            let view = View::new(Box::new(view.patched(patches)), &[(0, second.unwrap_or(length))]);
            let flac = foreign(view, path, |s| Ok(Box::new(FlacReader::try_new(s, options())?)));
            return flac.map(|mut opened| {
                opened.notes.extend(second.map(|at| unread_bytes("FLAC stream", length - at)));
                opened
            });
        }
        Known::Ogg => return of_ogg(view, path),
        Known::Mp4 => return of_mp4(view, path),
        Known::Caf => match caf::read(&mut view, length).map_err(unread)? {
            Ok(Ok(Caf::Packets)) => {
                return foreign(view, path, |s| Ok(Box::new(CafReader::try_new(s, options())?)));
            }
            Ok(Ok(Caf::Samples(layout))) => Ok(Ok(Ok(layout))),
            Ok(Err(name)) => Ok(Ok(Err(name))),
            Err(error) => Ok(Err(error)),
        },
        Known::Matroska => return of_matroska(view, path),
        Known::Other(name) => return Err(refused(path, name)),
        Known::Silent(name) => return Err(cannot_decode(path).expected(FORMATS).found(name)),
    };
    let layout = layout.map_err(unread)?;
    match layout.map_err(|error| error.context(cannot_decode_text(path)))? {
        Ok(layout) => of_layout(view, layout, path),
        Err(found) => Err(refused(path, &found)),
    }
}

/// A file whose samples lie as `layout` says.
pub(super) fn of_layout(view: View, layout: Layout, path: &Path) -> Result<Opened> {
    let unread = |e: io::Error| Error::io("read", path, &e);
    if layout.coding == Coding::Stream {
        let view = View::new(Box::new(view), &layout.spans);
        let mut opened = of_stream(view, &[], path)?;
        opened.notes.extend(layout.notes);
        return Ok(opened);
    }
    let (reader, warning) = BlockReader::new(Box::new(view), &layout).map_err(unread)?;
    let notes = layout.notes.into_iter().chain(warning).collect();
    Ok(Opened { promised: layout.promised, notes, ..Opened::new(reader) })
}

/// A file without a magic: frames of MPEG audio or AAC, or nothing that is known.
fn of_stream(view: View, head: &[u8], path: &Path) -> Result<Opened> {
    let unread = |e: io::Error| Error::io("read", path, &e);
    let (found, view) = stream::first_frame(view).map_err(unread)?;
    let Some(at) = found else {
        if is_text(head) {
            return Err(cannot_decode(path)
                .expected("audio data")
                .found("text")
                .hint("the name may be wrong, or a download saved an error page"));
        }
        let (free, _) = stream::has_free_bit_rate(view).map_err(unread)?;
        let name = if free { "MPEG audio of a free bit rate" } else { "no known audio format" };
        return Err(refused(path, name));
    };
    match StreamReader::new(view, at).map_err(unread)? {
        Some(reader) => Ok(Opened::new(reader)),
        None => Err(refused(path, "no known audio format")),
    }
}

fn of_ogg(mut view: View, path: &Path) -> Result<Opened> {
    let unread = |e| Error::io("read", path, &e);
    let names = ogg::streams(&mut view).map_err(unread)?;
    let length = view.length();
    let lost = ogg::lost_pages(&mut view, length).map_err(unread)?;
    let opened = foreign(view, path, |s| Ok(Box::new(OggReader::try_new(s, options())?)));
    match opened {
        Ok(mut opened) if opened.demuxer.track().is_some() => {
            if lost > 0 {
                let pages = if lost == 1 { "page is" } else { "pages are" };
                let text = format!(
                    "about {lost} {pages} damaged or missing, of which each is some packets"
                );
                opened.notes.push(Warning::new("lost", text));
            }
            Ok(opened)
        }
        Err(error) if names.is_empty() => Err(error),
        Ok(_) | Err(_) if !names.iter().any(|name| ["FLAC", "Opus", "Vorbis"].contains(name)) => {
            Err(refused(path, &format!("Ogg with {}", names.join(" and "))))
        }
        other => other,
    }
}

fn of_matroska(mut view: View, path: &Path) -> Result<Opened> {
    let (head, length) = (matroska::Head::read(&mut view), view.length());
    let head = head.map_err(|e| Error::io("read", path, &e))?;
    let view = view.patched(head.patches(length));
    let reader = symphonia(view, path, |s| Ok(Box::new(MkvReader::try_new(s, options())?)))?;
    let mut opened = of_reader(Foreign::new(reader).open_ended());
    if opened.demuxer.track().is_none() {
        let name = head.coding.as_deref().unwrap_or("no audio track");
        return Err(refused(path, &format!("Matroska with {name}")));
    }
    let lacks = head.lacks(length);
    if lacks > 0 {
        let text = format!("the file is cut short: it lacks {lacks} bytes");
        opened.notes.push(Warning::new("cut_short", text));
    }
    Ok(opened)
}

fn of_mp4(mut view: View, path: &Path) -> Result<Opened> {
    let length = view.length();
    let movie = mp4::read(&mut view, length).map_err(|e| Error::io("read", path, &e))?;
    let (sounds, lacks) = (movie.sounds.len(), movie.lacks);
    if let Some(found) = movie.beyond_reason(length) {
        return Err(refused(path, found));
    }
    let view = view.patched(movie.patches.clone());
    let others = (sounds > 1).then(|| {
        let text = format!("the file has {sounds} tracks of sound: the first that can be read is");
        Warning::new("other_tracks", text)
    });
    let mut opened = match movie.sounds.iter().position(mp4::Sound::is_readable) {
        None if !movie.has_index => {
            return Err(refused(path, "MP4 without the index of its samples (moov)")
                .hint("the recording was cut off before its end was written"));
        }
        None if sounds == 0 => return Err(refused(path, "MP4 without an audio track")),
        Some(place) if movie.sounds[place].layout.is_some() => {
            let sound = movie.sounds.into_iter().nth(place);
            let edit = sound.as_ref().map_or_else(Edit::default, |sound| sound.edit);
            let Some(Ok(layout)) = sound.and_then(|sound| sound.layout) else {
                return Err(refused(path, "MP4 without an audio track"));
            };
            Opened { edit, ..of_layout(view, layout, path)? }
        }
        Some(place) if !movie.has_type => {
            let name = mp4::shown(movie.sounds[place].name);
            return Err(refused(path, &format!("QuickTime of an early form with {name}")));
        }
        _ => {
            let reader = symphonia(view, path, |mut s| {
                // It goes back to the start itself.
                s.read_quad_bytes()?;
                Ok(Box::new(IsoMp4Reader::try_new(s, options())?))
            });
            let refused = |found: String| refused(path, &found);
            match reader {
                Ok(reader) => Mp4Reader::open(Foreign::new(reader), &movie).map_err(refused)?,
                Err(_) if !movie.sounds.iter().any(mp4::Sound::is_readable) => {
                    return Err(refused(movie.names()));
                }
                Err(error) => return Err(error),
            }
        }
    };
    opened.notes.extend(others);
    if lacks > 0 {
        let text = format!("the file is cut short: its last part lacks {lacks} bytes");
        opened.notes.push(Warning::new("cut_short", text));
    }
    if opened.edit.has_more {
        opened.notes.push(Warning::new(
            "edit_list",
            "the edit list puts several parts together: the track is read as it is from the first on",
        ));
    }
    Ok(opened)
}

fn options() -> FormatOptions {
    FormatOptions::default()
}

/// Opens a container that symphonia takes apart.
fn symphonia(
    mut view: View,
    path: &Path,
    open: impl FnOnce(MediaSourceStream<'static>) -> SymphoniaResult<Box<dyn FormatReader>>,
) -> Result<Box<dyn FormatReader>> {
    view.seek(SeekFrom::Start(0)).map_err(|e| Error::io("read", path, &e))?;
    let stream = MediaSourceStream::new(Box::new(view), MediaSourceStreamOptions::default());
    guarded(|| open(stream)).map_err(|e| refused(path, &e))?.map_err(|e| header_error(path, &e))
}

fn foreign(
    view: View,
    path: &Path,
    open: impl FnOnce(MediaSourceStream<'static>) -> SymphoniaResult<Box<dyn FormatReader>>,
) -> Result<Opened> {
    Ok(of_reader(Foreign::new(symphonia(view, path, open)?)))
}

fn of_reader(reader: Foreign) -> Opened {
    let promised = reader.promised();
    let tracks = reader.sounds();
    let mut opened = Opened { promised, ..Opened::new(reader) };
    if tracks > 1 {
        let text = format!("the file has {tracks} tracks of sound: the first that can be read is");
        opened.notes.push(Warning::new("other_tracks", text));
    }
    opened
}

fn header_error(path: &Path, error: &SymphoniaError) -> Error {
    let found = match error {
        SymphoniaError::IoError(e) if e.kind() == IoKind::UnexpectedEof => {
            "an end in the middle of the header".to_owned()
        }
        SymphoniaError::IoError(e) => return Error::io("read", path, e),
        other => other.to_string(),
    };
    refused(path, &found)
}

/// An error about `path`'s content.
pub(super) fn cannot_decode(path: &Path) -> Error {
    Error::new(ErrorKind::Audio, cannot_decode_text(path))
}

fn cannot_decode_text(path: &Path) -> String {
    format!("cannot decode {}", path.display())
}

/// A file that holds something else than what can be read.
pub(super) fn refused(path: &Path, found: &str) -> Error {
    cannot_decode(path).expected(FORMATS).found(found).hint(FFMPEG_HINT)
}

/// Printable UTF-8 (a character cut by the end is fine) with no control characters but white space.
pub(super) fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).unwrap_or("")
        }
        Err(_) => return false,
    };
    !valid.is_empty()
        && valid.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c'))
}
