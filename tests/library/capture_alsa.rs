//! A real run of cpal, on ALSA's `null` device: no sound card, but all of the way from the
//! library's callback to the ring.
#![cfg(all(feature = "capture", target_os = "linux"))]

use std::path::Path;
use std::time::{Duration, Instant};

use wakegate::ErrorKind;
use wakegate::audio::ring::Channel;
use wakegate::audio::{Card, CardSettings, Input, devices};

fn settings(device: &str) -> CardSettings {
    CardSettings {
        device: Some(device.to_owned()),
        rate: None,
        channels: None,
        channel: Channel::Mix,
        ring_s: 2.0,
    }
}

/// Whether ALSA's own devices are set up here.
fn alsa(test: &str) -> bool {
    let found = Path::new("/usr/share/alsa/alsa.conf").exists();
    if !found {
        crate::skip::skipped(test, "there is no /usr/share/alsa/alsa.conf");
    }
    found
}

#[test]
fn the_null_device_is_listed_and_delivers() {
    if !alsa("the_null_device_is_listed_and_delivers") {
        return;
    }
    let listed = devices().unwrap();
    let null = listed.iter().find(|device| device.id == "null").expect("the null device");
    assert!(!null.forms.is_empty(), "{null:?}");
    for (rate, channels, channel) in
        [(None, None, Channel::Mix), (Some(44_100), Some(6), Channel::One(6))]
    {
        let mut card = Card::new(CardSettings { rate, channels, channel, ..settings("null") });
        assert_eq!(card.name(), "null");
        let mut stream = card.open().unwrap();
        assert_eq!(stream.rate, rate.unwrap_or(48_000), "{}", stream.description);
        let late = Instant::now() + Duration::from_secs(60);
        let (mut next, mut block) = (0, Vec::new());
        // The null device has no clock: it floods the ring, and whatever is lost is counted.
        while next < 96_000 {
            assert!(Instant::now() < late, "only {next} frames came");
            assert!(stream.fault().is_none());
            let Some(found) = stream.reader.pop(&mut block) else { continue };
            assert!(found.first >= next);
            assert!(block.iter().all(|&sample| sample == 0.0), "null is silent");
            next = found.first + found.frames as u64;
        }
        assert!(stream.reader.flow().frames() >= next);
        assert!(!stream.has_ended());
        // Closed and opened again, as after a fault.
        drop(stream);
        assert!(card.open().is_ok());
    }
}

#[test]
fn a_card_that_is_not_there_says_so() {
    if !alsa("a_card_that_is_not_there_says_so") {
        return;
    }
    let error = Card::new(settings("hw:CARD=gone,DEV=0")).open().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Device);
    let text = error.to_string();
    assert!(text.starts_with("no input device \"hw:CARD=gone,DEV=0\": expected"), "{text}");
    assert!(text.ends_with("(hint: `wakegate devices` lists what there is)"), "{text}");
}
