//! Audio files made in the tests.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;

use flacenc::component::BitRepr;
use flacenc::error::Verify;
use wakegate::Result;
use wakegate::audio::{Source, read_all};
use wakegate_lab::decode::FileSource;

/// A sine of `frequency` Hz and amplitude `level`, shape `[n]`, at `rate` Hz.
pub fn sine(frequency: f64, level: f64, rate: u32, n: usize) -> Vec<f32> {
    let step = std::f64::consts::TAU * frequency / f64::from(rate);
    (0..n).map(|i| (level * (step * i as f64).sin()) as f32).collect()
}

/// What a WAV file is made of; `data` is written as it is.
pub struct Wav<'a> {
    /// 1 for integers, 3 for floats.
    pub format: u16,
    pub channels: u16,
    pub rate: u32,
    pub bits: u16,
    pub data: &'a [u8],
}

impl Wav<'_> {
    /// The file's bytes, with a header of 44 bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let align = self.channels * (self.bits / 8);
        let mut out = Vec::with_capacity(44 + self.data.len());
        out.extend_from_slice(b"RIFF");
        out.extend_from_slice(&(36 + self.data.len() as u32).to_le_bytes());
        out.extend_from_slice(b"WAVEfmt ");
        out.extend_from_slice(&16u32.to_le_bytes());
        out.extend_from_slice(&self.format.to_le_bytes());
        out.extend_from_slice(&self.channels.to_le_bytes());
        out.extend_from_slice(&self.rate.to_le_bytes());
        out.extend_from_slice(&self.rate.wrapping_mul(u32::from(align)).to_le_bytes());
        out.extend_from_slice(&align.to_le_bytes());
        out.extend_from_slice(&self.bits.to_le_bytes());
        out.extend_from_slice(b"data");
        out.extend_from_slice(&(self.data.len() as u32).to_le_bytes());
        out.extend_from_slice(self.data);
        out
    }
}

/// Samples as 16-bit integers.
pub fn to_i16(samples: &[f32]) -> Vec<i16> {
    samples.iter().map(|s| (s * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16).collect()
}

/// A 16-bit WAV file's bytes; `samples` interleaved.
pub fn wav_i16(samples: &[f32], channels: u16, rate: u32) -> Vec<u8> {
    let data: Vec<u8> = to_i16(samples).iter().flat_map(|s| s.to_le_bytes()).collect();
    Wav { format: 1, channels, rate, bits: 16, data: &data }.bytes()
}

/// A float WAV file's bytes; `samples` interleaved.
pub fn wav_f32(samples: &[f32], channels: u16, rate: u32) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    Wav { format: 3, channels, rate, bits: 32, data: &data }.bytes()
}

/// A FLAC file's bytes, blocks of 1024 frames.
pub fn flac(samples: &[f32], channels: usize, rate: usize) -> Vec<u8> {
    let samples: Vec<i32> = to_i16(samples).iter().map(|&s| i32::from(s)).collect();
    let mut config = flacenc::config::Encoder::default();
    config.block_size = 1_024;
    let config = config.into_verified().unwrap();
    let source = flacenc::source::MemSource::from_samples(&samples, channels, 16, rate);
    let stream = flacenc::encode_with_fixed_block_size(&config, source, config.block_size).unwrap();
    let mut sink = flacenc::bitsink::ByteSink::new();
    stream.write(&mut sink).unwrap();
    sink.as_slice().to_vec()
}

/// An Ogg Opus file's bytes: `samples` interleaved at 16 kHz, 20 ms packets, 24 kb/s a channel,
/// `gain` in 1/256 dB in the header, `per_page` packets a page.
pub fn opus(samples: &[f32], channels: u8, gain: i16, per_page: usize) -> Vec<u8> {
    let layout = if channels == 1 { ropus::Channels::Mono } else { ropus::Channels::Stereo };
    let mut encoder = ropus::Encoder::builder(16_000, layout, ropus::Application::Voip)
        .bitrate(ropus::Bitrate::try_bits(24_000 * u32::from(channels)).unwrap())
        .build()
        .unwrap();
    let pre_skip = encoder.lookahead() as usize * 3;
    let frames = samples.len() / usize::from(channels);
    let mut pcm = to_i16(samples);
    let block = 320 * usize::from(channels);
    let packets = (frames + pre_skip / 3).div_ceil(320);
    pcm.resize(packets * block, 0);

    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels);
    head.extend_from_slice(&(pre_skip as u16).to_le_bytes());
    head.extend_from_slice(&16_000u32.to_le_bytes());
    head.extend_from_slice(&gain.to_le_bytes());
    head.push(0);
    let mut out = ogg_page(&[head], 2, 0, 0);
    out.extend(ogg_page(&[b"OpusTags\x01\0\0\0x\0\0\0\0".to_vec()], 0, 0, 1));

    let coded: Vec<Vec<u8>> = pcm
        .chunks(block)
        .map(|chunk| {
            let mut packet = vec![0; 1_500];
            let n = encoder.encode(chunk, &mut packet).unwrap();
            packet.truncate(n);
            packet
        })
        .collect();
    let pages = coded.len().div_ceil(per_page);
    for (i, page) in coded.chunks(per_page).enumerate() {
        let last = i + 1 == pages;
        let granule = if last { pre_skip + 3 * frames } else { (i + 1) * per_page * 960 };
        out.extend(ogg_page(page, if last { 4 } else { 0 }, granule as u64, i as u32 + 2));
    }
    out
}

fn ogg_page(packets: &[Vec<u8>], flags: u8, granule: u64, sequence: u32) -> Vec<u8> {
    let mut lacing = Vec::new();
    for packet in packets {
        lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
        lacing.push((packet.len() % 255) as u8);
    }
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend_from_slice(&granule.to_le_bytes());
    page.extend_from_slice(&7u32.to_le_bytes());
    page.extend_from_slice(&sequence.to_le_bytes());
    page.extend_from_slice(&[0; 4]);
    page.push(lacing.len() as u8);
    page.extend_from_slice(&lacing);
    packets.iter().for_each(|p| page.extend_from_slice(p));
    let mut crc = 0u32;
    for &byte in &page {
        crc ^= u32::from(byte) << 24;
        for _ in 0..8 {
            crc = (crc << 1) ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
        }
    }
    page[22..26].copy_from_slice(&crc.to_le_bytes());
    page
}

/// The samples and warnings of the file at `path`.
pub fn decode(path: &Path) -> Result<(Vec<f32>, Vec<String>)> {
    let mut source = FileSource::open(path)?;
    let samples = read_all(&mut source)?;
    Ok((samples, source.warnings().iter().map(|warning| warning.text.clone()).collect()))
}

/// Root mean square.
pub fn rms(x: &[f32]) -> f64 {
    (x.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / x.len() as f64).sqrt()
}

/// Ratio in dB of `wanted`'s power to the power of its difference from `got`.
pub fn snr_db(wanted: &[f32], got: &[f32]) -> f64 {
    let error: Vec<f32> = wanted.iter().zip(got).map(|(a, b)| a - b).collect();
    20.0 * (rms(wanted) / rms(&error).max(1e-12)).log10()
}
