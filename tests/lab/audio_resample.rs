//! The conversion to 16 kHz: level, aliases, timing, length, independence of the chunking.

use crate::audio::{rms, sine, snr_db};
use proptest::prelude::*;
use wakegate::ErrorKind;
use wakegate::audio::Resampler;

const RATES: [u32; 9] = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000];

fn convert(rate: u32, input: &[f32], chunk: usize) -> Vec<f32> {
    let mut resampler = Resampler::new(rate).unwrap();
    let mut out = Vec::new();
    for piece in input.chunks(chunk) {
        resampler.push(piece, &mut out).unwrap();
    }
    resampler.finish(&mut out).unwrap();
    out
}

#[test]
fn a_tone_keeps_its_frequency_level_and_phase() {
    for rate in RATES {
        for frequency in [100.0, 1_000.0, 3_000.0, 7_000.0] {
            if frequency > 0.44 * f64::from(rate) {
                continue;
            }
            let out = convert(rate, &sine(frequency, 0.5, rate, rate as usize), 1_000);
            // The ends hold the filter's ringing at the tone's abrupt start and stop.
            let (middle, wanted) = (800..15_200, sine(frequency, 0.5, 16_000, 16_000));
            let snr = snr_db(&wanted[middle.clone()], &out[middle.clone()]);
            println!("{frequency} Hz at {rate} Hz: {snr:.1} dB");
            assert!(snr > 80.0, "{frequency} Hz at {rate} Hz: {snr:.1} dB");
            let level = 20.0 * (rms(&out[middle.clone()]) / rms(&wanted[middle])).log10();
            assert!(level.abs() < 0.1, "{frequency} Hz at {rate} Hz: {level:.3} dB");
        }
    }
}

#[test]
fn what_16_khz_cannot_hold_is_attenuated_by_60_db_at_least() {
    for rate in RATES.into_iter().filter(|&r| r > 16_000) {
        for frequency in [8_100.0, 9_000.0, 12_000.0, 15_000.0, 20_000.0, 40_000.0, 90_000.0] {
            if frequency > 0.49 * f64::from(rate) {
                continue;
            }
            let out = convert(rate, &sine(frequency, 1.0, rate, rate as usize), 4_096);
            let level = 20.0 * (rms(&out[800..15_200]) * 2f64.sqrt()).max(1e-12).log10();
            println!("{frequency} Hz at {rate} Hz leaves {level:.1} dB");
            assert!(level < -60.0, "{frequency} Hz at {rate} Hz leaves {level:.1} dB");
        }
    }
}

#[test]
fn telephone_audio_gains_nothing_above_4_khz() {
    let out = convert(8_000, &sine(3_000.0, 1.0, 8_000, 8_000), 1_000);
    // An image of 3 kHz would stand at 5 kHz: correlate with both of its phases.
    let (mut re, mut im) = (0.0, 0.0);
    for (i, &x) in out[800..15_200].iter().enumerate() {
        let phase = std::f64::consts::TAU * 5_000.0 / 16_000.0 * i as f64;
        re += f64::from(x) * phase.cos();
        im += f64::from(x) * phase.sin();
    }
    let level = 20.0 * (2.0 * (re * re + im * im).sqrt() / 14_400.0).max(1e-12).log10();
    assert!(level < -60.0, "the image stands at {level:.1} dB");
}

#[test]
fn a_click_stays_where_it_is() {
    for rate in RATES {
        for at in [0.0, 0.25, 0.499] {
            let mut input = vec![0.0; rate as usize / 2];
            input[(at * f64::from(rate)) as usize] = 1.0;
            let out = convert(rate, &input, 777);
            let peak = (0..out.len()).max_by(|&a, &b| out[a].abs().total_cmp(&out[b].abs()));
            let time = peak.unwrap() as f64 / 16_000.0;
            assert!((time - at).abs() < 1e-3, "{rate} Hz: {time} s instead of {at} s");
        }
    }
}

#[test]
fn sixteen_khz_passes_bit_for_bit() {
    let input = sine(440.0, 0.7, 16_000, 12_345);
    assert_eq!(convert(16_000, &input, 321), input);
}

#[test]
fn a_converter_is_as_new_after_its_end() {
    let input = sine(440.0, 0.7, 44_100, 10_000);
    let mut resampler = Resampler::new(44_100).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for out in [&mut first, &mut second] {
        resampler.push(&input, out).unwrap();
        resampler.finish(out).unwrap();
    }
    assert_eq!(first, second);
}

#[test]
fn an_unusable_rate_is_refused() {
    for (rate, text) in [(0, "0 Hz"), (1_999, "1999 Hz"), (u32::MAX, "4294967295 Hz")] {
        let error = Resampler::new(rate).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Audio);
        assert_eq!(
            error.to_string(),
            format!("unusable sample rate: expected 2000 to 384000 Hz, found {text}")
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_length_fits_and_the_chunking_does_not_matter(
        rate in prop_oneof![prop::sample::select(RATES.to_vec()), 2_000u32..50_000],
        n in 1usize..20_000,
        chunk in 1usize..5_000,
        seed in 0u32..1_000,
    ) {
        let mut state = seed;
        let input: Vec<f32> = (0..n).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        }).collect();
        let whole = convert(rate, &input, n);
        let wanted = (n as f64 * 16_000.0 / f64::from(rate)).round();
        prop_assert!((whole.len() as f64 - wanted).abs() <= 1.0);
        prop_assert_eq!(convert(rate, &input, chunk), whole);
    }
}
