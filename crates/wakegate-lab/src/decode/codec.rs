//! One track's decoder, whatever the codec.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known::CODEC_ID_OPUS;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;

use super::opus::OpusStream;
use wakegate::audio::SAMPLE_RATE;
use wakegate::audio::downmix::{SignalSpec, check_channels};
use wakegate::error::caught;

/// A decoder that turns packets into interleaved samples.
pub(super) enum Codec {
    /// All codecs but Opus.
    Symphonia(Box<dyn AudioDecoder>),
    /// Opus, which the other has no decoder for.
    Opus(Box<OpusStream>),
}

impl Codec {
    /// A decoder for `track`, and the form its header promises where it does.
    pub(super) fn new(track: &Track) -> Result<(Self, Option<SignalSpec>), String> {
        let Some(CodecParameters::Audio(params)) = &track.codec_params else {
            return Err("the track is not audio".to_owned());
        };
        if params.codec == CODEC_ID_OPUS {
            let head = params.extra_data.as_deref().unwrap_or_default();
            let stream = OpusStream::new(head)?;
            let form = SignalSpec { rate: SAMPLE_RATE, channels: stream.channels() };
            return Ok((Self::Opus(Box::new(stream)), Some(form)));
        }
        let form = match (params.sample_rate, &params.channels) {
            (Some(rate), Some(channels)) => Some(SignalSpec { rate, channels: channels.count() }),
            _ => None,
        };
        if let Some(form) = form {
            check_form(form)?;
        }
        let options = AudioDecoderOptions::default();
        let decoder =
            guarded(|| symphonia::default::get_codecs().make_audio_decoder(params, &options))?
                .map_err(|e| e.to_string())?;
        Ok((Self::Symphonia(decoder), form))
    }

    /// Replaces `out` with the packet's samples, interleaved, shape `[frames, channels]`.
    pub(super) fn decode(
        &mut self,
        packet: &Packet,
        out: &mut Vec<f32>,
    ) -> Result<SignalSpec, Failure> {
        let outcome = guarded(|| match self {
            Self::Symphonia(decoder) => {
                let block = decoder.decode(packet)?;
                let spec = block.spec();
                let form = SignalSpec { rate: spec.rate(), channels: spec.channels().count() };
                block.copy_to_vec_interleaved(out);
                Ok(Ok(form))
            }
            Self::Opus(stream) => {
                let decoded = stream.decode(&packet.data, packet.trim_end.get(), out);
                Ok(decoded.map(|()| SignalSpec { rate: SAMPLE_RATE, channels: stream.channels() }))
            }
        });
        let form = match outcome {
            // The decoder may be left in any state: nothing more is asked of it.
            Err(panic) => return Err(Failure::Stream(panic)),
            Ok(Err(SymphoniaError::DecodeError(e))) => return Err(Failure::Packet(e.to_owned())),
            Ok(Err(SymphoniaError::IoError(e))) => return Err(Failure::Packet(e.to_string())),
            Ok(Err(e)) => return Err(Failure::Stream(e.to_string())),
            Ok(Ok(Err(e))) => return Err(Failure::Packet(e)),
            Ok(Ok(Ok(form))) => form,
        };
        check_form(form).map_err(Failure::Stream)?;
        Ok(form)
    }
}

/// How far a failure reaches.
pub(super) enum Failure {
    /// This packet only; decoding goes on with the next.
    Packet(String),
    /// All that follows.
    Stream(String),
}

fn check_form(form: SignalSpec) -> Result<(), String> {
    wakegate::audio::resample::check_rate(form.rate).map_err(|e| e.to_string())?;
    check_channels(form.channels).map_err(|e| e.to_string())
}

/// Runs a step of a decoder or demuxer: a panic on hostile input becomes an error.
pub(super) fn guarded<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    caught(step).ok_or_else(|| "the data is so damaged that its decoder gave up".to_owned())
}
