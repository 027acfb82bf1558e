//! One track's decoder, whatever the codec.

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::well_known as id;
use symphonia::core::codecs::audio::{
    AudioCodecId, AudioCodecParameters, AudioDecoder, AudioDecoderOptions,
};
use symphonia::core::errors::Error as SymphoniaError;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;

use super::aac;
use super::blocks::is_trimmed_here;
use super::opus::OpusStream;
use super::vorbis;
use wakegate::audio::SAMPLE_RATE;
use wakegate::audio::downmix::{SignalSpec, check_channels};
use wakegate::error::caught;

/// How often a decoder may give up on a packet and be replaced by a new one.
const MOST_PANICS: u32 = 64;

/// Most frames of a packet that a decoder makes room for by the header's word; beyond, it grows
/// with what comes.
const MOST_FRAMES: u64 = 1 << 16;

/// A decoder that turns packets into interleaved samples.
pub(super) struct Codec {
    decoder: Decoder,
    params: AudioCodecParameters,
    panics: u32,
}

enum Decoder {
    /// All codecs but Opus.
    Symphonia(Box<dyn AudioDecoder>),
    /// Opus, which the other has no decoder for.
    Opus(Box<OpusStream>),
}

impl Decoder {
    fn new(params: &AudioCodecParameters) -> Result<Self, String> {
        if params.codec == id::CODEC_ID_OPUS {
            let head = params.extra_data.as_deref().unwrap_or_default();
            return Ok(Self::Opus(Box::new(OpusStream::new(head)?)));
        }
        // Before the decoder is made: it has room for what the header says.
        if let Some(channels) = &params.channels {
            check_channels(channels.count()).map_err(|e| e.to_string())?;
        }
        if params.codec == id::CODEC_ID_VORBIS {
            vorbis::check_books(params.extra_data.as_deref().unwrap_or_default())?;
        }
        let options = AudioDecoderOptions::default();
        let codecs = symphonia::default::get_codecs();
        if codecs.get_audio_decoder(params.codec).is_none() {
            return Err(name(params.codec));
        }
        let mut params = match params.codec {
            id::CODEC_ID_AAC => aac::core(params)?,
            _ => params.clone(),
        };
        if [id::CODEC_ID_PCM_ALAW, id::CODEC_ID_PCM_MULAW].contains(&params.codec) {
            // Some containers count the bits of what is written, others those of what it stands for.
            (params.bits_per_sample, params.bits_per_coded_sample) = (None, None);
        }
        params.max_frames_per_packet =
            params.max_frames_per_packet.filter(|&frames| frames <= MOST_FRAMES);
        let decoder = guarded(|| codecs.make_audio_decoder(&params, &options))?;
        decoder.map(Self::Symphonia).map_err(|e| e.to_string())
    }
}

impl Codec {
    /// A decoder for `track`, and the form its header promises where it does.
    pub(super) fn new(track: &Track) -> Result<(Self, Option<SignalSpec>), String> {
        let Some(CodecParameters::Audio(params)) = &track.codec_params else {
            return Err("the track is not audio".to_owned());
        };
        let decoder = Decoder::new(params)?;
        let rate = match params.codec {
            id::CODEC_ID_AAC => aac::core(params)?.sample_rate,
            _ => params.sample_rate,
        };
        let form = match (&decoder, rate, &params.channels) {
            (Decoder::Opus(stream), ..) => {
                Some(SignalSpec { rate: SAMPLE_RATE, channels: stream.channels() })
            }
            (_, Some(rate), Some(channels)) => {
                Some(SignalSpec { rate, channels: channels.count() })
            }
            _ => None,
        };
        if let Some(form) = form {
            check_form(form)?;
        }
        Ok((Self { decoder, params: params.clone(), panics: 0 }, form))
    }

    /// Whether its samples are numbers of the file's own, so that their scale may be any.
    pub(super) fn is_float(&self) -> bool {
        use id::{CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_F64LE};
        [CODEC_ID_PCM_F32BE, CODEC_ID_PCM_F32LE, CODEC_ID_PCM_F64BE, CODEC_ID_PCM_F64LE]
            .contains(&self.params.codec)
    }

    /// Whether what the encoder put in front is left out by the decoder itself.
    pub(super) fn skips_by_itself(&self) -> bool {
        matches!(self.decoder, Decoder::Opus(_)) || self.params.codec == id::CODEC_ID_VORBIS
    }

    /// Frames of the last packet that the decoder left out.
    pub(super) fn skipped(&self) -> u64 {
        match &self.decoder {
            Decoder::Opus(stream) => stream.skipped() as u64,
            Decoder::Symphonia(_) => 0,
        }
    }

    /// Replaces `out` with the packet's samples, interleaved, shape `[frames, channels]`.
    pub(super) fn decode(
        &mut self,
        packet: &Packet,
        out: &mut Vec<f32>,
    ) -> Result<SignalSpec, Failure> {
        let outcome = guarded(|| match &mut self.decoder {
            Decoder::Symphonia(decoder) => {
                let block = decoder.decode(packet)?;
                let spec = block.spec();
                let form = SignalSpec { rate: spec.rate(), channels: spec.channels().count() };
                block.copy_to_vec_interleaved(out);
                Ok(Ok(form))
            }
            Decoder::Opus(stream) => {
                let decoded = stream.decode(&packet.data, packet.trim_end.get(), out);
                Ok(decoded.map(|()| SignalSpec { rate: SAMPLE_RATE, channels: stream.channels() }))
            }
        });
        let form = match outcome {
            Err(panic) => return Err(self.replace(panic)),
            // Of a packet that is damaged in some places, decoders say that they can't decode its
            // kind: what follows may be sound all the same.
            Ok(Err(SymphoniaError::DecodeError(e) | SymphoniaError::Unsupported(e))) => {
                return Err(Failure::Packet(e.to_owned()));
            }
            Ok(Err(SymphoniaError::ResetRequired)) => {
                return Err(self.replace("the stream changes its form".to_owned()));
            }
            Ok(Err(e)) => return Err(Failure::Packet(e.to_string())),
            Ok(Ok(Err(e))) => return Err(Failure::Packet(e)),
            Ok(Ok(Ok(form))) => form,
        };
        check_form(form).map_err(Failure::Stream)?;
        if is_trimmed_here(self.params.codec) {
            let trim = usize::try_from(packet.trim_end.get()).unwrap_or(usize::MAX);
            out.truncate(out.len().saturating_sub(trim.saturating_mul(form.channels)));
        }
        Ok(form)
    }

    /// Puts a new decoder in the place of one that may be in any state.
    fn replace(&mut self, reason: String) -> Failure {
        self.panics += 1;
        match Decoder::new(&self.params) {
            Ok(decoder) if self.panics <= MOST_PANICS => {
                self.decoder = decoder;
                Failure::Packet(reason)
            }
            _ => Failure::Stream(reason),
        }
    }
}

/// Whether there is a decoder for `track`.
pub(super) fn is_decoded(track: &Track) -> bool {
    let Some(CodecParameters::Audio(params)) = &track.codec_params else { return false };
    params.codec == id::CODEC_ID_OPUS
        || symphonia::default::get_codecs().get_audio_decoder(params.codec).is_some()
}

/// What people call a codec that can't be decoded.
fn name(codec: AudioCodecId) -> String {
    let names = [
        (id::CODEC_ID_AC3, "AC-3"),
        (id::CODEC_ID_EAC3, "E-AC-3"),
        (id::CODEC_ID_AC4, "AC-4"),
        (id::CODEC_ID_DCA, "DTS"),
        (id::CODEC_ID_TRUEHD, "TrueHD"),
        (id::CODEC_ID_SPEEX, "Speex"),
        (id::CODEC_ID_MUSEPACK, "Musepack"),
        (id::CODEC_ID_WAVPACK, "WavPack"),
        (id::CODEC_ID_TTA, "True Audio (TTA)"),
        (id::CODEC_ID_WMA, "Windows Media Audio"),
        (id::CODEC_ID_ADPCM_G722, "G.722"),
        (id::CODEC_ID_ADPCM_G726, "G.726"),
        (id::CODEC_ID_ADPCM_IMA_QT, "IMA ADPCM"),
        (id::CODEC_ID_ATRAC3, "ATRAC3"),
        (id::CODEC_ID_COOK, "Cook"),
    ];
    let known = names.iter().find(|(known, _)| *known == codec);
    known.map_or_else(|| format!("the codec {codec}"), |(_, name)| (*name).to_owned())
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
