//! The ways to a file's samples.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::time::Duration;

use symphonia::core::io::MediaSource;

use super::{FileSource, State};
use crate::decode::codec::Codec;
use crate::decode::container::{self, Opened, refused};
use crate::decode::cut::Cut;
use crate::decode::damage::Damage;
use crate::decode::ffmpeg::Ffmpeg;
use crate::decode::layout::Layout;
use crate::decode::raw::RawForm;
use crate::decode::view::{self, View, read_at};
use wakegate::audio::downmix::{Mixer, check_channel};
use wakegate::audio::{Channel, header};
use wakegate::error::{Error, Result};

/// Bytes of a headerless file that are looked at: silence may come first.
const RAW_LOOK: usize = 1 << 16;

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
        Self::over(container::take_apart(container::open(path)?, path)?, path)
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
            None => Self::over(container::take_apart(bytes, name)?, name),
        }
    }

    /// As [`open`](FileSource::open), for a file that the user's ffmpeg reads.
    ///
    /// # Errors
    ///
    /// As [`open`](FileSource::open), with the reason that ffmpeg gives.
    pub fn of_ffmpeg(ffmpeg: &Ffmpeg, file: File, name: impl AsRef<Path>) -> Result<Self> {
        let name = name.as_ref();
        Self::over(ffmpeg.open(file, name)?, name)
    }

    /// The same recording, of which one channel is heard instead of the mean of all.
    ///
    /// # Errors
    ///
    /// An [`Audio`](wakegate::ErrorKind::Audio) error where it has no such channel.
    pub fn of_channel(mut self, channel: Channel) -> Result<Self> {
        if let Some(form) = self.form {
            let checked = check_channel(channel, form);
            checked.map_err(|error| error.context(self.path.display()))?;
        }
        self.mixer = Mixer::new(channel);
        Ok(self)
    }

    fn over_raw(mut bytes: Box<dyn MediaSource>, path: &Path, form: RawForm) -> Result<Self> {
        let unread = |e| Error::io("read", path, &e);
        let length = view::length(bytes.as_mut()).map_err(unread)?;
        let mut head = vec![0; RAW_LOOK];
        let count = read_at(bytes.as_mut(), 0, &mut head).map_err(unread)?;
        let checked = if form.is_s16le() {
            let mut look = header::Look::default();
            look.take(&head[..count]).and_then(|()| look.end())
        } else {
            header::check_raw(&head[..count.min(header::HEAD)])
        };
        checked.map_err(|error| error.context(path.display()))?;
        let layout = Layout::of_raw(form, length);
        let view = View::new(bytes, &layout.spans);
        Self::over(container::of_layout(view, layout, path)?, path)
    }

    fn over(opened: Opened, path: &Path) -> Result<Self> {
        let found = |text: String| refused(path, &text);
        let Opened { demuxer, edit, promised, notes, decoder } = opened;
        let track = demuxer
            .track()
            .ok_or_else(|| found("a container without an audio track".to_owned()))?;
        let (codec, form) = Codec::new(track).map_err(found)?;
        let mut damage = Damage::default();
        notes.into_iter().for_each(|warning| damage.note(warning));
        let (time_base, start) = (track.time_base, track.start_ts.get());
        let mut source = Self {
            path: path.to_owned(),
            demuxer,
            decoder,
            time_base,
            promised,
            codec,
            form: None,
            resampler: None,
            interleaved: Vec::new(),
            mono: Vec::new(),
            mixer: Mixer::new(Channel::Mix),
            cut: Cut::new(edit),
            ready: Vec::new(),
            ready_from: 0,
            held: None,
            silence: 0,
            expected: 0.0,
            longest: 0,
            latest: 0,
            was_lost: false,
            position: 0,
            seconds_before: 0.0,
            decoded_any: false,
            broke_off: false,
            damage,
            warnings: Vec::new(),
            state: State::Reading,
            resampling: Duration::ZERO,
        };
        source.expected = source.seconds(start);
        if let Some(form) = form {
            source.set_form(form)?;
        }
        Ok(source)
    }
}
