//! The callback's side of the ring allocates nothing, whatever the format, the channels, the
//! block's length or the room.

use assert_no_alloc::assert_no_alloc;
use wakegate::audio::faults;
use wakegate::audio::ring::{Channel, ring};

#[test]
fn push_allocates_nothing() {
    for (channels, channel) in
        [(1, Channel::Mix), (2, Channel::Mix), (6, Channel::One(6)), (64, Channel::Mix)]
    {
        let (mut writer, reader) = ring(4_800, channels, channel).unwrap();
        let short = vec![1_i16; 480 * channels];
        let long = vec![0.5_f32; 4_800 * channels];
        let odd = vec![9_i32; 31 * channels + channels / 2];
        let flow = writer.flow().clone();
        assert_no_alloc(|| {
            writer.push(&short, |s| f32::from(s) / 32_768.0);
            writer.push(&odd, |s| s as f32 / 2_147_483_648.0);
            writer.push(&long, |s| s);
            flow.report_xrun();
            // Far beyond what fits: the loss is counted without allocating too.
            for _ in 0..1_000 {
                writer.push(&short, |s| f32::from(s) / 32_768.0);
            }
        });
        assert!(flow.overruns() > 900, "the ring was never full");
        assert_eq!(flow.callbacks(), 1_003);
        drop(reader);
        // Nobody listens any more: that is no reason to allocate either.
        assert_no_alloc(|| writer.push(&short, |s| f32::from(s) / 32_768.0));
    }
}

#[test]
fn a_fault_without_room_allocates_nothing() {
    let (mut fault_in, fault_out) = faults();
    let fault = || wakegate::audio::Fault { fatal: true, message: "gone".into(), hint: "plug in" };
    assert_no_alloc(|| {
        for _ in 0..100 {
            let _ = fault_in.push(fault());
        }
    });
    assert!(fault_out.slots() > 0);
}
