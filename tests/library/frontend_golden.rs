//! Every stage of the front end against an independent reference, see `golden/generate.py`.
//!
//! A missing reference file fails: a comparison that quietly does not happen proves nothing.

use std::fs;
use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use ndarray_npy::{ReadNpyError, ReadableElement};
use wakegate::frontend::{Filterbank, FrontEnd, Settings, Spectrum};

const CASES: [&str; 6] =
    ["default", "slaney", "povey", "hamming_1024", "hamming_periodic_1024", "rectangular"];

/// The generator stores the power of every sixth frame.
const POWER_STEP: usize = 6;

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(path)
}

fn missing(path: &str, error: impl std::fmt::Display) -> ! {
    panic!(
        "reference file tests/golden/{path} can't be read ({error}): \
         run `python tests/golden/generate.py` and commit what it writes"
    )
}

fn read<A, D>(path: &str) -> ndarray::Array<A, D>
where
    A: ReadableElement,
    D: ndarray::Dimension,
{
    ndarray_npy::read_npy(golden(path)).unwrap_or_else(|error: ReadNpyError| missing(path, error))
}

fn settings(case: &str) -> Settings {
    let path = format!("{case}/settings.json");
    let text = fs::read_to_string(golden(&path)).unwrap_or_else(|error| missing(&path, error));
    serde_json::from_str(&text).expect("settings of a golden case")
}

/// Pre-emphasis written out once more, so that the power is compared by itself.
fn emphasised(settings: &Settings) -> Vec<f32> {
    let signal: Array1<f32> = read("signal.npy");
    let mut last = 0.0;
    signal
        .iter()
        .map(|&sample| {
            let value = sample - settings.pre_emphasis as f32 * last;
            last = sample;
            value
        })
        .collect()
}

fn largest(differences: impl Iterator<Item = f32>) -> f32 {
    // A NaN must not be skipped the way `max` skips it.
    differences.fold(0.0, |worst, value| if value <= worst { worst } else { value })
}

#[test]
fn windows_match_scipy_to_1e_6() {
    for case in CASES {
        let settings = settings(case);
        let reference: Array1<f32> = read(&format!("{case}/window.npy"));
        let window = settings.window.coefficients(settings.window_samples());
        assert_eq!(window.len(), reference.len(), "{case}");
        let worst = largest(window.iter().zip(&reference).map(|(a, b)| (a - b).abs()));
        println!("{case}: window within {worst:e}");
        assert!(worst <= 1e-6, "{case}: {worst:e}");
    }
}

/// Single precision loses bins that lie far below the loudest of their frame, so a bin may
/// also be off by 1e-9 of that one.
#[test]
fn power_matches_numpy_to_1e_4_relative() {
    for case in CASES {
        let settings = settings(case);
        let signal = emphasised(&settings);
        let reference: Array2<f32> = read(&format!("{case}/power.npy"));
        let mut spectrum = Spectrum::new(&settings).expect("golden settings are valid");
        let mut worst = 0f32;
        for (index, expected) in reference.rows().into_iter().enumerate() {
            let start = index * POWER_STEP * settings.hop_samples();
            let power = spectrum.power(&signal[start..start + settings.window_samples()]);
            assert_eq!(power.len(), expected.len(), "{case}");
            let loudest = largest(expected.iter().copied());
            let off = power.iter().zip(expected).map(|(&found, &expected)| {
                let allowed = 1e-4 * expected + 1e-9 * loudest;
                if found == expected { 0.0 } else { (found - expected).abs() / allowed }
            });
            worst = largest(std::iter::once(worst).chain(off));
        }
        println!("{case}: power within {worst} of what is allowed");
        assert!(worst <= 1.0, "{case}: {worst} times what is allowed");
    }
}

#[test]
fn filterbank_matches_librosa_to_1e_6() {
    for case in CASES {
        let settings = settings(case);
        let triples: Array2<f32> = read(&format!("{case}/filterbank.npy"));
        let mut reference = Array2::zeros((settings.mel_bands, settings.fft_size / 2 + 1));
        for triple in triples.rows() {
            reference[[triple[0] as usize, triple[1] as usize]] = triple[2];
        }
        let filterbank = Filterbank::new(&settings).expect("golden settings are valid").dense();
        assert_eq!(filterbank.dim(), reference.dim(), "{case}");
        let worst = largest(filterbank.iter().zip(&reference).map(|(a, b)| (a - b).abs()));
        println!("{case}: filterbank within {worst:e}");
        assert!(worst <= 1e-6, "{case}: {worst:e}");
    }
}

/// 1e-4 down to 60 dB below the loudest band of the frame, from there ten times as much every
/// 20 dB (1e-3 at 80 dB).
///
/// What a single-precision FFT rounds away is a share of the frame's loudest amplitude, so in
/// a band far below it no flat limit holds: at -94 dB this front end is off by 1.3e-3 and a
/// single-precision FFT of scipy's by 1.5e-3.
#[test]
fn log_mel_matches_the_reference_to_1e_4_within_60_db() {
    let signal: Array1<f32> = read("signal.npy");
    for case in CASES {
        let reference: Array2<f32> = read(&format!("{case}/log_mel.npy"));
        let mut front = FrontEnd::new(&settings(case)).expect("golden settings are valid");
        let frames = front.process(signal.as_slice().expect("one row"));
        assert_eq!(frames.dim(), reference.dim(), "{case}");
        let (mut worst, mut worst_share) = (0f32, 0f32);
        for (frame, expected) in frames.rows().into_iter().zip(reference.rows()) {
            let loudest = expected.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            for (&found, &expected) in frame.iter().zip(expected) {
                let allowed = (1e-7 * ((loudest - expected) / 2.0).exp()).max(1e-4);
                let off = (found - expected).abs();
                worst = largest([worst, off].into_iter());
                worst_share = largest([worst_share, off / allowed].into_iter());
            }
        }
        println!("{case}: log-mel within {worst:e}, {worst_share} of what is allowed");
        assert!(worst_share <= 1.0, "{case}: {worst_share} times what is allowed");
    }
}

#[test]
fn log_mel_reference_holds_silence_and_sound() {
    // Without both, the floor or the mel sums would go unchecked.
    let reference: Array2<f32> = read("default/log_mel.npy");
    let silence = FrontEnd::new(&Settings::default()).expect("valid").silence_value();
    assert!(reference.iter().any(|&value| (value - silence).abs() < 1e-6));
    assert!(reference.iter().any(|&value| value > 0.0));
}
