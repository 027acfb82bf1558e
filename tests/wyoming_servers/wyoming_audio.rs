//! The forms of audio that clients send: any rate, width and number of channels, or a refusal.

use crate::wyoming_support::{CHUNK, Daemon, Event, of_kind, recording};
use serde_json::json;

/// Streams `frames` as stereo and gives what came back.
fn judge_stereo(daemon: &Daemon, frames: impl Iterator<Item = [i16; 2]>) -> Vec<Event> {
    let mut client = daemon.client();
    let form = json!({"rate": 16_000, "width": 2, "channels": 2});
    let bytes: Vec<u8> = frames.flatten().flat_map(i16::to_le_bytes).collect();
    bytes.chunks(4 * CHUNK).for_each(|chunk| client.send_with("audio-chunk", form.clone(), chunk));
    client.send("audio-stop", json!({}));
    client.drain()
}

#[test]
fn one_channel_of_several_is_heard_where_the_settings_name_it() {
    let right = || recording("alexa_lights").into_iter().map(|sample| [0, sample]);
    let antiphase = || recording("alexa_lights").into_iter().map(|s| [s, s.saturating_neg()]);
    for (option, stereo, antiphased) in
        [("", true, false), ("channel=1", false, true), ("channel=2", true, true)]
    {
        let set = ["--wyoming-set", option];
        let daemon = Daemon::start(if option.is_empty() { &[] } else { &set });
        let found = |events: &[Event]| !of_kind(events, "detection").is_empty();
        assert_eq!(found(&judge_stereo(&daemon, right())), stereo, "{option}");
        assert_eq!(found(&judge_stereo(&daemon, antiphase())), antiphased, "{option}");
        if option.is_empty() {
            daemon.wait_for("the channels cancel out");
        }
    }
    // A client without that channel is told, and others are served.
    let daemon = Daemon::start(&["--wyoming-set", "channel=2"]);
    let mut client = daemon.client();
    client.stream(&recording("alexa_lights")[..CHUNK]);
    let error = client.read_kind("error", &[]).data["text"].as_str().unwrap().to_owned();
    assert!(error.contains("expected channel 1 to 1, found 2"), "{error}");
    assert!(!of_kind(&judge_stereo(&daemon, right()), "detection").is_empty());
}

#[test]
fn any_rate_width_and_channel_count_is_heard() {
    let daemon = Daemon::start(&[]);
    let samples = recording("alexa_lights");
    let sample = |value: i16, width: usize| -> Vec<u8> {
        match width {
            1 => vec![((value >> 8) + 128) as u8],
            2 => value.to_le_bytes().to_vec(),
            3 => (i32::from(value) << 8).to_le_bytes()[..3].to_vec(),
            _ => (i32::from(value) << 16).to_le_bytes().to_vec(),
        }
    };
    for (times, width, channels) in [(3, 2, 2), (1, 1, 1), (2, 3, 1), (1, 4, 8)] {
        let mut client = daemon.client();
        let (rate, mut audio) = (16_000 * times, Vec::new());
        for &value in &samples {
            (0..times * channels).for_each(|_| audio.extend(sample(value, width)));
        }
        let data = json!({"rate": rate, "width": width, "channels": channels});
        // A length that no frame divides: a chunk may end inside one.
        for piece in audio.chunks(9_001) {
            client.send_with("audio-chunk", data.clone(), piece);
        }
        let events = client.drain();
        let form = format!("{rate} Hz, {width} bytes, {channels} channels");
        assert_eq!(of_kind(&events, "detection").len(), 1, "{form}: {events:?}");
    }
}

#[test]
fn audio_that_nobody_can_read_closes_the_client_with_the_reason() {
    let daemon = Daemon::start(&[]);
    for (data, text) in [
        (json!({"rate": 16_000, "width": 9, "channels": 1}), "1 to 4 bytes a sample"),
        (json!({"rate": 1, "width": 2, "channels": 1}), "2000 to 384000 Hz"),
        (json!({"rate": 16_000, "width": 2}), "audio-chunk's channels"),
        (json!({}), "send rate, width and channels with every chunk"),
    ] {
        let mut client = daemon.client();
        client.send_with("audio-chunk", data, &[0; 64]);
        let events = client.read_to_end();
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].data["text"].as_str().unwrap().contains(text), "{events:?}");
    }
    let ended = daemon.stop();
    assert_eq!((ended.count("failures_total"), ended.count("malformed_total")), (2, 2));
}
