//! Raw PCM from a pipe as a device: lossless, and it ends.

use std::io::{Cursor, Read};
use std::time::{Duration, Instant};

use wakegate::ErrorKind;
use wakegate::audio::ring::Channel;
use wakegate::audio::{Input, Pipe, Stream};

/// Gives its bytes a few at a time, so that samples and frames are cut.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let most = out.len().min(self.1);
        self.0.read(&mut out[..most])
    }
}

fn drain(stream: &mut Stream) -> Vec<f32> {
    let (mut all, mut block) = (Vec::new(), Vec::new());
    let late = Instant::now() + Duration::from_secs(60);
    while !stream.has_ended() {
        assert!(Instant::now() < late, "the pipe never ends");
        match stream.reader.pop(&mut block) {
            Some(found) => {
                assert_eq!(found.first, all.len() as u64);
                all.extend_from_slice(&block);
            }
            None => std::thread::yield_now(),
        }
    }
    all
}

#[test]
fn a_small_ring_loses_nothing_of_a_pipe() {
    let samples: Vec<i16> = (0..20_000_i32).map(|n| (n * 7 % 30_000) as i16).collect();
    let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).chain([1]).collect();
    for trickle in [false, true] {
        let cursor = Cursor::new(bytes.clone());
        let reader: Box<dyn Read + Send> =
            if trickle { Box::new(Trickle(cursor, 0)) } else { Box::new(cursor) };
        let mut pipe = Pipe::new("a pipe", reader, 16_000, 2, Channel::One(2), 400).unwrap();
        let mut stream = pipe.open().unwrap();
        let found = drain(&mut stream);
        let expected: Vec<f32> =
            samples.iter().skip(1).step_by(2).map(|&s| f32::from(s) / 32_768.0).collect();
        assert_eq!(found, expected);
        assert_eq!(stream.reader.flow().overruns(), 0);
        assert!(stream.fault().is_none());
        let again = pipe.open().err().unwrap();
        assert_eq!(again.kind(), ErrorKind::Device);
    }
}

#[test]
fn a_pipe_that_breaks_is_a_fault() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the wire is cut"))
        }
    }
    let mut pipe = Pipe::new("a pipe", Box::new(Broken), 16_000, 1, Channel::Mix, 16_000).unwrap();
    let mut stream = pipe.open().unwrap();
    assert!(drain(&mut stream).is_empty());
    let error = stream.fault().unwrap().into_error("a pipe").to_string();
    assert_eq!(error, "a pipe: the wire is cut (hint: check the program that writes to the pipe)");
}
