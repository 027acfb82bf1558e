//! The ways to a file's samples.

use std::io::{Read, Seek};
use std::path::Path;
use std::time::Duration;

use symphonia::core::formats::well_known::{FORMAT_ID_AIFF, FORMAT_ID_FLAC, FORMAT_ID_WAVE};
use symphonia::core::formats::{FormatReader, TrackType};
use symphonia::core::io::MediaSource;

use super::{FileSource, State};
use crate::decode::codec::Codec;
use crate::decode::container;
use crate::decode::container::FORMATS;
use crate::decode::damage::Damage;
use crate::decode::raw::{FORMAT_ID_RAW, RawForm, RawReader};
use crate::decode::sniff::cannot_decode;
use wakegate::error::{Error, Result};

impl FileSource {
    /// Opens the audio file at `path` and reads its header.
    ///
    /// # Errors
    ///
    /// An [`Io`](wakegate::ErrorKind::Io) error where there is no readable file at `path`, an
    /// [`Audio`](wakegate::ErrorKind::Audio) error where it is no audio of a supported format or its header
    /// is damaged. A file without samples is told by the first [`read`](wakegate::audio::Source::read).
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::over(container::probe(container::open(path)?, path)?, path)
    }

    /// As [`open`](FileSource::open), for a headerless file of this form.
    ///
    /// # Errors
    ///
    /// As [`open`](FileSource::open).
    pub fn open_raw(path: impl AsRef<Path>, form: RawForm) -> Result<Self> {
        let path = path.as_ref();
        Self::over_raw(container::open(path)?, path, form)
    }

    /// As [`open`](FileSource::open), for the bytes of an audio file that lie elsewhere; they are
    /// called `name` in errors, and have no header but `form` where that is given.
    ///
    /// # Errors
    ///
    /// As [`open`](FileSource::open).
    pub fn of_bytes(
        bytes: impl Read + Seek + Send + Sync + 'static,
        name: impl AsRef<Path>,
        form: Option<RawForm>,
    ) -> Result<Self> {
        let name = name.as_ref();
        let bytes = container::seekable(bytes, name)?;
        match form {
            Some(form) => Self::over_raw(bytes, name, form),
            None => Self::over(container::probe(bytes, name)?, name),
        }
    }

    fn over_raw(bytes: Box<dyn MediaSource>, path: &Path, form: RawForm) -> Result<Self> {
        let reader = RawReader::new(bytes, form).map_err(|e| Error::io("read", path, &e))?;
        let warning = reader.warning();
        let mut source = Self::over(Box::new(reader), path)?;
        warning.into_iter().for_each(|line| source.damage.note(line));
        Ok(source)
    }

    fn over(reader: Box<dyn FormatReader>, path: &Path) -> Result<Self> {
        let found = |text: String| cannot_decode(path).expected(FORMATS).found(text);
        let track = reader
            .default_track(TrackType::Audio)
            .ok_or_else(|| found("a container without an audio track".to_owned()))?;
        let (codec, form) = Codec::new(track).map_err(found)?;
        let lossless = [FORMAT_ID_WAVE, FORMAT_ID_AIFF, FORMAT_ID_FLAC, FORMAT_ID_RAW];
        let promised = track.num_frames.filter(|_| lossless.contains(&reader.format_info().format));

        let mut source = Self {
            path: path.to_owned(),
            track: track.id,
            time_base: track.time_base,
            promised,
            codec,
            form: None,
            resampler: None,
            interleaved: Vec::new(),
            mono: Vec::new(),
            ready: Vec::new(),
            ready_from: 0,
            held: None,
            silence: 0,
            expected: track.start_ts.get(),
            position: 0,
            seconds_before: 0.0,
            decoded_any: false,
            broke_off: false,
            damage: Damage::default(),
            warnings: Vec::new(),
            state: State::Reading,
            resampling: Duration::ZERO,
            reader,
        };
        if let Some(form) = form {
            source.set_form(form)?;
        }
        Ok(source)
    }
}
