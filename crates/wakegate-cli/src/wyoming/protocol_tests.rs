//! Tests of the frames: any chunks, any garbage, every limit.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::protocol::{Decoder, Event, Limits};
use wakegate::ErrorKind;

const LIMITS: Limits = Limits { line: 300, data: 400, payload: 500 };

/// Every event of `bytes`, fed in pieces of `chunk` bytes.
fn decode(bytes: &[u8], chunk: usize) -> wakegate::Result<Vec<Event>> {
    let mut decoder = Decoder::new(LIMITS);
    let mut events = Vec::new();
    for mut piece in bytes.chunks(chunk.max(1)) {
        while let Some(event) = decoder.next(&mut piece)? {
            events.push(event);
            assert!(decoder.capacity() <= LIMITS.line + LIMITS.data + LIMITS.payload);
        }
    }
    assert!(!decoder.in_event(), "the bytes end inside an event");
    Ok(events)
}

fn error_of(bytes: &[u8]) -> wakegate::Error {
    decode(bytes, 7).unwrap_err()
}

#[test]
fn data_may_stand_in_the_line_or_behind_it() {
    let inline = b"{\"type\": \"ping\", \"data\": {\"text\": \"a\"}}\n";
    let block =
        b"{\"type\": \"ping\", \"version\": \"1.5.0\", \"data_length\": 13}\n{\"text\": \"a\"}";
    let both = b"{\"type\":\"ping\",\"data\":{\"text\":\"old\",\"more\":1},\"data_length\":13}\n{\"text\": \"a\"}";
    let ping = Event::new("ping").with("text", "a");
    assert_eq!(decode(inline, 5).unwrap(), std::slice::from_ref(&ping));
    assert_eq!(decode(block, 5).unwrap(), std::slice::from_ref(&ping));
    assert_eq!(decode(both, 5).unwrap(), [ping.with("more", 1)]);
}

#[test]
fn nulls_and_unknown_keys_are_taken_as_nothing() {
    let line = b"{\"type\":\"describe\",\"data\":null,\"data_length\":null,\"payload_length\":0,\"x\":[1]}\n";
    assert_eq!(decode(line, 3).unwrap(), [Event::new("describe")]);
    let event = Event::new("detect").with("names", Value::Null);
    assert_eq!(event.get("names"), None);
}

#[test]
fn the_writer_puts_data_behind_the_line() {
    let event = Event::new("audio-chunk").with("rate", 16_000).with_payload(vec![1, 2, b'\n', 4]);
    assert_eq!(
        event.encode(),
        b"{\"type\": \"audio-chunk\", \"version\": \"1.10.2\", \"data_length\": 14, \"payload_length\": 4}\n\
          {\"rate\":16000}\x01\x02\n\x04"
    );
    assert_eq!(
        Event::new("describe").encode(),
        b"{\"type\": \"describe\", \"version\": \"1.10.2\"}\n"
    );
}

#[test]
fn what_is_over_a_limit_is_refused_before_it_is_read() {
    for (bytes, message) in [
        (vec![b'x'; 301], "an event's line is too long: expected at most 300 bytes, found more"),
        (
            b"{\"type\":\"a\",\"data_length\":401}\n".to_vec(),
            "an event's data block is too long: expected at most 400 bytes, found 401 bytes",
        ),
        (
            b"{\"type\":\"a\",\"payload_length\":18446744073709551615}\n".to_vec(),
            "an event's payload is too long: expected at most 500 bytes, found 18446744073709551615 bytes",
        ),
    ] {
        let error = error_of(&bytes);
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(error.hint_text().is_some());
    }
    let full = format!("{{\"type\":\"{}\"}}\n", "x".repeat(300 - 12));
    assert_eq!(full.len(), 300);
    assert_eq!(decode(full.as_bytes(), 300).unwrap().len(), 1, "the limit itself is allowed");
}

#[test]
fn another_form_is_an_error_that_stays() {
    for bytes in [
        &b"\n"[..],
        b"GET / HTTP/1.1\n",
        b"{\"data\":{}}\n",
        b"{\"type\":5}\n",
        b"[]\n",
        b"{\"type\":\"a\",\"data\":[1]}\n",
        b"{\"type\":\"a\",\"data_length\":-1}\n",
        b"{\"type\":\"a\",\"data_length\":1.5}\n",
        b"{\"type\":\"a\",\"payload_length\":\"8\"}\n",
        b"{\"type\":\"a\",\"data_length\":2}\n[]",
        b"{\"type\":\"a\",\"data_length\":4}\nnull",
        b"\xff\xfe{}\n",
    ] {
        let error = error_of(bytes);
        assert_eq!(error.kind(), ErrorKind::Protocol, "{error}");
        let mut decoder = Decoder::new(LIMITS);
        let first = decoder.next(&mut &bytes[..]).unwrap_err();
        let ping = Event::new("ping").encode();
        assert_eq!(decoder.next(&mut &ping[..]).unwrap_err(), first, "no event after an error");
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let text = format!("{{\"type\":\"a\",\"data\":{}}}\n", "[".repeat(200));
    assert_eq!(error_of(text.as_bytes()).kind(), ErrorKind::Protocol);
}

fn any_event() -> impl Strategy<Value = Event> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-zé\n\"\\\\]{0,8}".prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..4).prop_map(|list| json!(list)),
    ];
    let data = prop::collection::btree_map("[a-z_]{1,6}", leaf, 0..4);
    ("[a-z-]{0,12}", data, prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|(kind, data, payload)| Event { kind, data: data.into_iter().collect(), payload })
}

proptest! {
    #[test]
    fn any_chunks_give_the_same_events(
        events in prop::collection::vec(any_event(), 1..5),
        chunk in 1..400_usize,
    ) {
        let bytes: Vec<u8> = events.iter().flat_map(Event::encode).collect();
        prop_assert_eq!(decode(&bytes, chunk).unwrap(), events);
    }

    #[test]
    fn garbage_is_an_error_or_nothing_and_never_takes_more_than_the_limits(
        bytes in prop::collection::vec(any::<u8>(), 0..2_000),
        chunk in 1..300_usize,
    ) {
        let mut decoder = Decoder::new(LIMITS);
        for mut piece in bytes.chunks(chunk) {
            while let Ok(Some(_)) = decoder.next(&mut piece) {}
            prop_assert!(decoder.capacity() <= 500);
        }
    }

    #[test]
    fn a_flipped_byte_never_panics_nor_takes_more_than_the_limits(
        events in prop::collection::vec(any_event(), 1..4),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        chunk in 1..300_usize,
    ) {
        let mut bytes: Vec<u8> = events.iter().flat_map(Event::encode).collect();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let mut decoder = Decoder::new(LIMITS);
        for mut piece in bytes.chunks(chunk) {
            while let Ok(Some(_)) = decoder.next(&mut piece) {}
            prop_assert!(decoder.capacity() <= 500);
        }
    }
}
