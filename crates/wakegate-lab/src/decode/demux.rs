//! Packets out of a container, whoever takes it apart.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::formats::well_known::FORMAT_ID_FLAC;
use symphonia::core::formats::{FormatReader, Track};
use symphonia::core::packet::Packet;

use wakegate::audio::Warning;

/// What takes a file apart.
pub(super) trait Demuxer: Send {
    /// The track that is decoded. It changes where a packet asks for a reset.
    fn track(&self) -> Option<&Track>;

    /// The next packet of the track; none at the end.
    ///
    /// # Errors
    /// As [`FormatReader::next_packet`].
    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>>;

    /// What was odd; complete once there are no more packets.
    fn warnings(&mut self) -> Vec<Warning> {
        Vec::new()
    }
}

/// A container that symphonia takes apart, and the track chosen in it.
pub(super) struct Foreign {
    reader: Box<dyn FormatReader>,
    track: Option<u32>,
    /// Whether the end of the file ends it wherever it comes.
    is_open: bool,
}

impl Foreign {
    /// Takes the first track of sound that can be decoded, or else the first one.
    pub(super) fn new(reader: Box<dyn FormatReader>) -> Self {
        let mut foreign = Self { reader, track: None, is_open: false };
        foreign.choose();
        foreign
    }

    /// The same, of a container without a length of its own: the end of the file is its end.
    pub(super) fn open_ended(self) -> Self {
        Self { is_open: true, ..self }
    }

    fn choose(&mut self) {
        let sound = |track: &&Track| matches!(track.codec_params, Some(CodecParameters::Audio(_)));
        let tracks = || self.reader.tracks().iter().filter(sound);
        let known = tracks().find(|track| super::codec::is_decoded(track));
        self.track = known.or_else(|| tracks().next()).map(|track| track.id);
    }

    /// Tracks of sound.
    pub(super) fn sounds(&self) -> usize {
        let sound = |track: &&Track| matches!(track.codec_params, Some(CodecParameters::Audio(_)));
        self.reader.tracks().iter().filter(sound).count()
    }

    /// Frames that the header promises, of a format whose headers know them.
    pub(super) fn promised(&self) -> Option<u64> {
        let is_exact = self.reader.format_info().format == FORMAT_ID_FLAC;
        self.track().filter(|_| is_exact)?.num_frames
    }
}

impl Demuxer for Foreign {
    fn track(&self) -> Option<&Track> {
        self.reader.tracks().iter().find(|track| Some(track.id) == self.track)
    }

    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>> {
        loop {
            match self.reader.next_packet() {
                Ok(Some(packet)) if Some(packet.track_id) != self.track => {}
                Err(symphonia::core::errors::Error::IoError(error))
                    if self.is_open && error.kind() == std::io::ErrorKind::UnexpectedEof =>
                {
                    return Ok(None);
                }
                Err(symphonia::core::errors::Error::ResetRequired) => {
                    self.choose();
                    return Err(symphonia::core::errors::Error::ResetRequired);
                }
                other => return other,
            }
        }
    }
}
