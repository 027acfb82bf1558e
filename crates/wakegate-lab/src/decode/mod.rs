//! Recordings of any form, file or part of an archive, to 16 kHz mono samples.
//!
//! [`FileSource`] decodes packet by packet, so that its memory does not grow with the recording's
//! length, from the file system or from the middle of an archive ([`FilePart`]).

mod aac;
mod aiff;
mod blocks;
mod caf;
mod codec;
mod container;
mod cut;
mod damage;
mod demux;
mod ffmpeg;
mod file_part;
mod file_source;
mod find_audio;
mod flac;
mod known;
mod layout;
mod matroska;
mod mp4;
mod mp4_boxes;
mod mp4_fragments;
mod mp4_reader;
mod mpeg;
mod ogg;
mod opus;
mod raw;
mod small;
mod stream;
mod tags;
mod view;
mod vorbis;
mod wave;

pub use ffmpeg::Ffmpeg;
pub(crate) use ffmpeg::in_memory;
pub use file_part::FilePart;
pub use file_source::FileSource;
pub use find_audio::{AUDIO_EXTENSIONS, Found, find_audio, find_files, is_audio};
pub use raw::{Encoding, RAW_EXTENSIONS, RawForm};
