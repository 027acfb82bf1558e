//! What no reader here knows, read by an ffmpeg that the user has.
//!
//! It runs as a process of its own, sees the one file that it is handed and nothing of its path,
//! writes to a pipe and no file, and has limits of time, memory and output. It may open no network
//! address, and where the system lets us it has no network at all. Playlists, which name other
//! files, are not handed on.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use symphonia::core::audio::Channels;
use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::AudioCodecParameters;
use symphonia::core::formats::Track;
use symphonia::core::packet::Packet;
use symphonia::core::units::{TimeBase, Timestamp};

use super::container::{Opened, is_text};
use super::demux::Demuxer;
use super::layout::{Coding, Layout};
use super::small;
use wakegate::audio::Warning;
use wakegate::{Error, ErrorKind, Result};

/// The processor time that a recording may take, in s, and the memory, in KiB.
const MOST_CPU_S: u32 = 600;
const MOST_KIB: u32 = 4 << 20;
/// How long it may give nothing, in s.
const PATIENCE_S: u64 = if cfg!(test) { 2 } else { 30 };
/// The bytes of samples that a recording may become: so many for each of its own, and so many that
/// any may. Speech at 700 bits a second, the thinnest that there is, becomes 370 for each.
const MOST_GROWTH: u64 = 1_000;
const SMALL: u64 = if cfg!(test) { 1 << 20 } else { 256 << 20 };
/// Most bytes of what it says that are kept.
const MOST_SAID: u64 = 4_096;
/// Bytes read at a time, and how many such blocks may wait.
const BLOCK: usize = 1 << 16;
const BLOCKS: usize = 4;
/// Frames of a packet.
const PACKET_FRAMES: usize = 4_096;
/// Bytes of the header that it writes in front of the samples, at least.
const HEADER: usize = 24;
/// Limits that hold before the program starts, which takes the shell's place.
const LIMITED: &str = r#"ulimit -c 0 && ulimit -f 0 && ulimit -t "$1" || exit 1; ulimit -v "$2" 2>/dev/null
    shift 2; exec "$@""#;
/// What playlists have in their first bytes, which name files and addresses of others.
const PLAYLISTS: [&[u8]; 6] =
    [b"#EXTM3U", b"ffconcat", b"<MPD", b"<SmoothStreamingMedia", b"<CompositionPlaylist", b"v=0"];

/// The user's ffmpeg.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    program: PathBuf,
    /// What runs it without any network, where the system lets us.
    offline: &'static [&'static str],
}

impl Ffmpeg {
    /// The ffmpeg on the path.
    ///
    /// # Errors
    /// [`ErrorKind::Settings`] where there is none.
    pub fn find() -> Result<Self> {
        let runs = |command: &mut Command| {
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            quiet.status().is_ok_and(|status| status.success())
        };
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let programs = std::env::split_paths(&folders).map(|folder| folder.join("ffmpeg"));
        let is_usable = |program: &PathBuf| {
            program.is_absolute() && runs(Command::new(program).arg("-version"))
        };
        let Some(program) = programs.into_iter().find(is_usable) else {
            return Err(Error::new(ErrorKind::Settings, "ffmpeg is asked for and can't be run")
                .expected("a program ffmpeg on the PATH")
                .found("none")
                .hint("install ffmpeg, or leave the option out"));
        };
        let ways: [&[&str]; 2] =
            [&["unshare", "--net", "--"], &["unshare", "--user", "--map-root-user", "--net", "--"]];
        let way =
            ways.into_iter().find(|way| runs(Command::new(way[0]).args(&way[1..]).arg("true")));
        Ok(Self { program, offline: way.unwrap_or_default() })
    }

    /// The samples of `file`, as ffmpeg decodes them; `path` is its name in errors.
    pub(super) fn open(&self, file: File, path: &Path) -> Result<Opened> {
        let unread = |e: io::Error| Error::io("read", path, &e);
        let length = file.metadata().map_err(unread)?.len();
        let mut head = vec![0; 4_096];
        let count = file.read_at(&mut head, 0).map_err(unread)?;
        head.truncate(count);
        let names_others = |mark: &&[u8]| head.windows(mark.len()).any(|found| found == *mark);
        if is_text(&head) || PLAYLISTS.iter().any(names_others) {
            return Err(refused("text, or a list of other files"));
        }
        let refusal = |error: io::Error| refused(&error.to_string());
        let mut running = self.start(file).map_err(refusal)?;
        let Some(layout) = running.header().map_err(refusal)? else {
            drop(running.child.kill());
            return Err(refused(&running.end().unwrap_or_else(|| "no sound in it".to_owned())));
        };
        let most = length.saturating_mul(MOST_GROWTH).max(SMALL);
        let reader = FfmpegReader::new(running, &layout, most);
        Ok(Opened { decoder: Some("ffmpeg"), ..Opened::new(reader) })
    }

    fn start(&self, file: File) -> io::Result<Running> {
        let mut command = Command::new("sh");
        command
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .args(["-c", LIMITED, "sh"])
            .args([MOST_CPU_S.to_string(), MOST_KIB.to_string()])
            .args(self.offline)
            .arg(&self.program)
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1"])
            .args(["-protocol_whitelist", "file,pipe", "-i", "file:/dev/fd/0"])
            .args(["-map", "0:a:0", "-map_metadata", "-1", "-threads", "1"])
            // Silence where audio is missing, so that all later times are right.
            .args(["-af", "aresample=async=1:min_hard_comp=0.1:first_pts=0"])
            .args(["-c:a", "pcm_f32be", "-f", "au", "pipe:1"])
            .stdin(file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (out, said) = (child.stdout.take(), child.stderr.take());
        let (Some(mut out), Some(mut said)) = (out, said) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let (send, blocks) = bounded(BLOCKS);
        // A thread of its own, so that waiting for it can end. It ends with the process.
        std::thread::spawn(move || {
            loop {
                let mut block = vec![0; BLOCK];
                let read = match out.read(&mut block) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    read => read,
                };
                let is_last = !matches!(read, Ok(1..));
                block.truncate(*read.as_ref().unwrap_or(&0));
                if send.send(read.map(|_| block)).is_err() || is_last {
                    return;
                }
            }
        });
        let said = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let kept = (&mut said).take(MOST_SAID).read_to_end(&mut bytes);
            // What nobody reads would hold it up.
            drop(kept.and_then(|_| io::copy(&mut said, &mut io::sink())));
            String::from_utf8_lossy(&bytes).into_owned()
        });
        Ok(Running { child, blocks, ready: Vec::new(), from: 0, said: Some(said) })
    }
}

fn refused(found: &str) -> Error {
    Error::new(ErrorKind::Audio, "ffmpeg can't decode it").found(found)
}

/// A running ffmpeg, which ends with this.
struct Running {
    child: Child,
    /// What it writes; an empty block is its end.
    blocks: Receiver<io::Result<Vec<u8>>>,
    /// The block that is being read, of which bytes are left from `from` on.
    ready: Vec<u8>,
    from: usize,
    said: Option<JoinHandle<String>>,
}

impl Running {
    /// Fills `bytes`; fewer at the end.
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < bytes.len() {
            if self.from == self.ready.len() {
                self.ready = match self.blocks.recv_timeout(Duration::from_secs(PATIENCE_S)) {
                    Ok(block) => block?,
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let text = format!("ffmpeg gave nothing for {PATIENCE_S} s");
                        return Err(io::Error::other(text));
                    }
                };
                self.from = 0;
                if self.ready.is_empty() {
                    break;
                }
            }
            let count = (bytes.len() - filled).min(self.ready.len() - self.from);
            bytes[filled..filled + count]
                .copy_from_slice(&self.ready[self.from..self.from + count]);
            self.from += count;
            filled += count;
        }
        Ok(filled)
    }

    /// What the header of its output says, up to the first sample; none where it ended before.
    fn header(&mut self) -> io::Result<Option<Layout>> {
        let mut head = vec![0; HEADER];
        if self.read(&mut head)? < HEADER {
            return Ok(None);
        }
        let layout =
            small::au(&mut Cursor::new(head), u64::MAX)?.ok().and_then(|layout| layout.ok());
        let Some(layout) = layout else { return Ok(None) };
        let more = layout.spans.first().map_or(0, |span| span.0).saturating_sub(HEADER as u64);
        let mut more = vec![0; usize::try_from(more.min(MOST_SAID)).unwrap_or(0)];
        let is_whole = self.read(&mut more)? == more.len();
        Ok(Some(layout).filter(|_| is_whole))
    }

    /// Waits for its end, and gives what it complained of first; nothing where all went well.
    fn end(&mut self) -> Option<String> {
        let status = self.child.wait();
        let said = self.said.take().and_then(|said| said.join().ok()).unwrap_or_default();
        let line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        // It may quote the file.
        let plain = |c: &char| c.is_ascii() && !c.is_ascii_control();
        let line: String = line.chars().filter(plain).take(160).collect();
        match status {
            _ if !line.is_empty() => Some(line.replace("file:/dev/fd/0: ", "")),
            Ok(status) if status.success() => None,
            Ok(status) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Packets of the samples that an ffmpeg writes.
struct FfmpegReader {
    running: Running,
    track: Track,
    frame_bytes: usize,
    /// Frames given.
    given: u64,
    /// Bytes that may still come.
    left: u64,
    warnings: Vec<Warning>,
}

impl FfmpegReader {
    fn new(running: Running, layout: &Layout, most_bytes: u64) -> Self {
        let (mut params, mut track) = (AudioCodecParameters::new(), Track::new(0));
        let frame_bytes = match layout.coding {
            Coding::Blocks { codec, bytes, .. } => {
                params.for_codec(codec);
                usize::try_from(bytes).unwrap_or(1).max(1)
            }
            Coding::Stream => 1,
        };
        params
            .with_sample_rate(layout.rate)
            .with_channels(Channels::Discrete(layout.channels))
            .with_max_frames_per_packet(PACKET_FRAMES as u64);
        track.with_codec_params(CodecParameters::Audio(params));
        if let Some(rate) = std::num::NonZero::new(layout.rate) {
            track.with_time_base(TimeBase::from_recip(rate));
        }
        Self { running, track, frame_bytes, given: 0, left: most_bytes, warnings: Vec::new() }
    }
}

impl Demuxer for FfmpegReader {
    fn track(&self) -> Option<&Track> {
        Some(&self.track)
    }

    fn next_packet(&mut self) -> symphonia::core::errors::Result<Option<Packet>> {
        let mut data = vec![0; PACKET_FRAMES * self.frame_bytes];
        let count = self.running.read(&mut data)?;
        let frames = count / self.frame_bytes;
        if frames == 0 {
            let complaint = self.running.end();
            let text = complaint.map(|text| Warning::new("ffmpeg", format!("ffmpeg says: {text}")));
            self.warnings.extend(text);
            return Ok(None);
        }
        self.left = match self.left.checked_sub(count as u64) {
            Some(left) => left,
            None => {
                let text = format!("it became more than {MOST_GROWTH} times its size");
                return Err(io::Error::other(text).into());
            }
        };
        data.truncate(frames * self.frame_bytes);
        let at = i64::try_from(self.given).unwrap_or(i64::MAX);
        self.given += frames as u64;
        let length = symphonia::core::units::Duration::from(frames as u64);
        Ok(Some(Packet::new(0, Timestamp::new(at), length, data)))
    }

    fn warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }
}

/// `bytes` as a file that is nowhere but in memory.
#[cfg(target_os = "linux")]
pub(crate) fn in_memory(mut bytes: impl Read) -> io::Result<File> {
    use std::io::{Seek, Write};
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::memfd_create("recording", flags)?);
    io::copy(&mut bytes, &mut file)?;
    file.flush()?;
    file.rewind()?;
    Ok(file)
}

/// As there; other systems have no such files.
#[cfg(not(target_os = "linux"))]
pub(crate) fn in_memory(_: impl Read) -> io::Result<File> {
    Err(io::Error::other("this system has no files in memory"))
}

#[cfg(test)]
#[path = "ffmpeg_tests.rs"]
mod tests;
