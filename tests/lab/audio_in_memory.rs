//! Samples in memory are converted as those of a file.

use wakegate::audio::{Converter, Samples, read_all};
use wakegate_lab::decode::{FileSource, RawForm};

/// Two channels of 3 s at 44.1 kHz that differ.
fn stereo() -> Vec<f32> {
    let wave = |n: u32| [(n as f32 * 0.02).sin() * 0.4, (n as f32 * 0.031).cos() * 0.2];
    (0..132_300).flat_map(wave).collect()
}

#[test]
fn samples_in_memory_are_those_of_a_file_bit_for_bit() {
    let samples = stereo();
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let form = RawForm::new("f32le".parse().unwrap(), 44_100, 2).unwrap();
    let mut file = FileSource::of_bytes(std::io::Cursor::new(bytes), "a.raw", Some(form)).unwrap();
    let expected = read_all(&mut file).unwrap();
    assert_eq!(expected.len(), 48_000);
    let mut source = Samples::new(samples.clone(), 44_100, 2).unwrap();
    assert_eq!(read_all(&mut source).unwrap(), expected);
    let mut converter = Converter::new(44_100, 2).unwrap();
    for size in [2, 2_222, 100_000] {
        let mut out = Vec::new();
        for piece in samples.chunks(size) {
            converter.push(piece, &mut out).unwrap();
        }
        converter.finish(&mut out).unwrap();
        assert_eq!(out, expected, "{size}");
    }
}
