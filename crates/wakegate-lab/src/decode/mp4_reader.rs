//! Packets of an MP4 file, with what symphonia leaves out of its boxes.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;
use symphonia::core::units::Timestamp;

use super::container::Opened;
use super::demux::{Demuxer, Foreign};
use super::mp4::Movie;

/// The demuxer of an MP4 file.
pub(super) struct Mp4Reader {
    inner: Foreign,
    track: Track,
    shifts: Vec<(i64, i64)>,
}

impl Mp4Reader {
    /// A reader of the track that `inner` chose; or the name of the first track's coding, where
    /// none can be read.
    pub(super) fn open(inner: Foreign, movie: &Movie) -> Result<Opened, String> {
        let refused = || movie.names();
        let mut track = inner.track().cloned().ok_or_else(refused)?;
        let sound = movie.sounds.iter().find(|sound| sound.id == track.id).ok_or_else(refused)?;
        if let Some(CodecParameters::Audio(params)) = &mut track.codec_params
            && params.codec == CODEC_ID_OPUS
            && let Some(head) = &mut params.extra_data
        {
            to_ogg_order(head, sound.edit.skip > 0.0);
        }
        let edit = sound.edit;
        let reader = Self { inner, track, shifts: sound.shifts.clone() };
        Ok(Opened { edit, ..Opened::new(reader) })
    }
}

/// The numbers of an Opus header are big-endian in MP4 and little-endian elsewhere. What the
/// encoder put in front is left out once: by the edit list, where it says so.
fn to_ogg_order(head: &mut [u8], is_cut_by_edit: bool) {
    for (from, to) in [(10, 12), (12, 16), (16, 18)] {
        if let Some(number) = head.get_mut(from..to) {
            number.reverse();
        }
    }
    if let Some(skip) = head.get_mut(10..12).filter(|_| is_cut_by_edit) {
        skip.fill(0);
    }
}

impl Demuxer for Mp4Reader {
    fn track(&self) -> Option<&Track> {
        Some(&self.track)
    }

    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>> {
        let mut packet = self.inner.next_packet()?;
        if let Some(packet) = &mut packet {
            let at = packet.pts.get();
            let last = self.shifts.partition_point(|(from, _)| *from <= at).checked_sub(1);
            if let Some((_, late)) = last.and_then(|place| self.shifts.get(place)) {
                packet.pts = Timestamp::new(at.saturating_add(*late));
            }
        }
        Ok(packet)
    }
}
