//! The ring: what goes in comes out, and what is lost is known by its place and length.

use proptest::prelude::*;
use wakegate::ErrorKind;
use wakegate::audio::ring::{Block, Channel, Reader, ring};

fn blocks(reader: &mut Reader) -> Vec<(Block, Vec<f32>)> {
    let mut samples = Vec::new();
    std::iter::from_fn(|| reader.pop(&mut samples).map(|block| (block, samples.clone()))).collect()
}

#[test]
fn channels_are_mixed_or_chosen() {
    let frames = [0.25_f32, 0.5, -0.5, 1.0, 0.0, -1.0];
    for (channel, expected) in [
        (Channel::Mix, [(0.25 + 0.5 - 0.5) / 3.0, 0.0]),
        (Channel::One(1), [0.25, 1.0]),
        (Channel::One(3), [-0.5, -1.0]),
    ] {
        let (mut writer, mut reader) = ring(16, 3, channel).unwrap();
        writer.push(&frames, |s| s);
        // A frame that is not whole is left out.
        writer.push(&frames[..4], |s| s);
        let found = blocks(&mut reader);
        assert_eq!(found[0].1, expected, "{channel:?}");
        assert_eq!(found[1].1, expected[..1], "{channel:?}");
        assert_eq!(found[1].0, Block { first: 2, frames: 1, after_xrun: false });
    }
}

#[test]
fn a_stalled_reader_loses_blocks_that_are_counted_with_their_place() {
    let (mut writer, mut reader) = ring(1_000, 1, Channel::Mix).unwrap();
    let mut value = 0.0;
    let mut push = |count: usize| {
        for _ in 0..count {
            let block: Vec<f32> = (0..160).map(|n| value + n as f32).collect();
            value += 160.0;
            writer.push(&block, |s| s);
        }
    };
    push(20);
    let flow = reader.flow().clone();
    assert_eq!((flow.callbacks(), flow.frames()), (20, 3_200));
    assert_eq!((flow.overruns(), flow.lost_frames()), (14, 2_240));
    let first = blocks(&mut reader);
    assert_eq!(first.len(), 6);
    push(2);
    let later = blocks(&mut reader);
    assert_eq!(later[0].0.first, 3_200, "the lost ones are in the numbers");
    let gap = later[0].0.first - (first[5].0.first + first[5].0.frames as u64);
    assert_eq!(gap, flow.lost_frames());
    for (block, samples) in first.iter().chain(&later) {
        assert_eq!(samples[0], block.first as f32, "every block stands at its place");
    }
}

#[test]
fn what_the_ring_cannot_be_is_refused() {
    for (capacity, channels, channel) in [
        (0, 1, Channel::Mix),
        (1, 0, Channel::Mix),
        (1, 65, Channel::Mix),
        (1, 2, Channel::One(0)),
        (1, 2, Channel::One(3)),
    ] {
        let error = ring(capacity, channels, channel).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Settings, "{error}");
    }
    let error = ring(1, 2, Channel::One(3)).err().unwrap().to_string();
    assert!(error.starts_with("the device has no such channel: expected 1 to 2, found 3 (hint:"));
}

#[test]
fn an_overrun_of_the_device_marks_the_next_block_that_arrives() {
    let (mut writer, mut reader) = ring(10, 1, Channel::Mix).unwrap();
    let flow = writer.flow().clone();
    writer.push(&[0.0; 8], |s| s);
    flow.report_xrun();
    writer.push(&[0.0; 8], |s| s);
    assert_eq!(flow.overruns(), 1, "no room for the block after it");
    let first = blocks(&mut reader);
    assert_eq!(first.len(), 1);
    assert!(!first[0].0.after_xrun);
    writer.push(&[0.0; 8], |s| s);
    writer.push(&[0.0; 2], |s| s);
    let marks: Vec<bool> = blocks(&mut reader).iter().map(|(b, _)| b.after_xrun).collect();
    assert_eq!(marks, [true, false]);
}

proptest! {
    #[test]
    fn nothing_is_lost_in_silence(
        steps in prop::collection::vec((0_usize..700, any::<bool>()), 1..60),
    ) {
        let (mut writer, mut reader) = ring(1_024, 2, Channel::One(2)).unwrap();
        let mut next = 0_u64;
        let mut popped = Vec::new();
        for (frames, read) in steps {
            let data: Vec<f64> =
                (0..frames as u64).flat_map(|n| [-1.0, (next + n) as f64]).collect();
            next += frames as u64;
            writer.push(&data, |s| s as f32);
            if read {
                popped.extend(blocks(&mut reader));
            }
        }
        popped.extend(blocks(&mut reader));
        let flow = reader.flow();
        let kept: u64 = popped.iter().map(|(block, _)| block.frames as u64).sum();
        prop_assert_eq!(flow.frames(), next);
        prop_assert_eq!(kept + flow.lost_frames(), next);
        let mut expected = 0;
        for (block, samples) in &popped {
            prop_assert!(block.first >= expected);
            expected = block.first + block.frames as u64;
            for (n, &sample) in samples.iter().enumerate() {
                prop_assert_eq!(sample, (block.first + n as u64) as f32);
            }
        }
    }
}
