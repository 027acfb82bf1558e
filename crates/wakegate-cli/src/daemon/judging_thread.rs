//! The judging thread: opens the device, pops blocks, converts, judges, hands on. It waits for
//! audio and for nothing else: what a receiver can't take is dropped and counted.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use tracing::{error, info, warn};

use super::fanout::Fanout;
use super::input_device::{Device, Found};
use super::listened_word::ListenedWord;
use super::listener::Listener;
use super::metrics::Counters;
use super::thread_priority;
use crate::config::Audio;
use wakegate::audio::Input;
use wakegate::review::Feed;
use wakegate::{Error, ErrorKind, Result};

/// How long the thread sleeps when there is no block: blocks come every 10 to 100 ms.
const NAP: Duration = Duration::from_millis(20);
/// Most panics in [`PANIC_WINDOW`] that are survived.
const MOST_PANICS: usize = 5;
/// See [`MOST_PANICS`].
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// What the thread is told to do.
pub enum Order {
    /// Listen for these wake words from now on.
    Listen(Vec<ListenedWord>),
    /// Hand activations to these receivers from now on.
    Report(Fanout),
    /// Take another device, or the same with other settings.
    Capture(Box<dyn Input>, Audio),
    /// Keep audio for this feed of the review queue from now on.
    Review(Option<Feed>),
    /// End.
    Stop,
}

/// How the thread came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// The source came to its end, and everything in it was judged.
    SourceEnded,
    /// The source ended in a fault and can't be opened again.
    SourceFailed(Error),
    /// It panicked again and again.
    Panicked,
}

/// What a worker starts with.
pub struct Work {
    /// The device.
    pub input: Box<dyn Input>,
    /// How it is opened and watched.
    pub audio: Audio,
    /// The wake words.
    pub words: Vec<ListenedWord>,
    /// The receivers.
    pub fanout: Fanout,
    /// The way to the review queue.
    pub feed: Option<Feed>,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// Real-time priority to ask for; 0 for none.
    pub priority: u8,
    /// Whether a device that can't be opened at the start is waited for.
    pub patient: bool,
}

/// The judging thread, seen from outside.
pub struct Worker {
    orders: Sender<Order>,
    thread: thread::JoinHandle<Ended>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where no thread can be started.
    pub fn start(work: Work) -> Result<Self> {
        let (orders, taken) = crossbeam_channel::unbounded();
        let thread = thread::Builder::new()
            .name("judge".to_owned())
            .spawn(move || {
                thread_priority::ask(work.priority);
                Shift::new(work, taken).run()
            })
            .map_err(|e| Error::new(ErrorKind::Io, "cannot start a thread").found(e.to_string()))?;
        Ok(Self { orders, thread })
    }

    /// Gives an order; one for a thread that has ended is lost.
    pub fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// Whether the thread has ended.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end until `deadline`; `None` where it does not come.
    pub fn join(self, deadline: Instant) -> Option<Ended> {
        while !self.thread.is_finished() {
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(NAP / 2);
        }
        Some(self.thread.join().unwrap_or(Ended::Panicked))
    }
}

/// The thread's own state.
struct Shift {
    device: Device,
    listener: Listener,
    counters: Arc<Counters>,
    orders: Receiver<Order>,
    panics: Vec<Instant>,
}

impl Shift {
    fn new(work: Work, orders: Receiver<Order>) -> Self {
        let Work { input, audio, words, fanout, feed, counters, patient, .. } = work;
        let source = input.name().into();
        let listener = Listener::new(source, words, fanout, feed, Arc::clone(&counters));
        let device = Device::new(input, &audio, Arc::clone(&counters), patient);
        Self { device, listener, counters, orders, panics: Vec::new() }
    }

    fn run(mut self) -> Ended {
        loop {
            match catch_unwind(AssertUnwindSafe(|| self.listen())) {
                Ok(ended) => {
                    self.listener.abandon();
                    return ended;
                }
                Err(_) if self.survives() => {}
                Err(_) => {
                    error!("the judging thread panicked {MOST_PANICS} times in a minute: it ends");
                    return Ended::Panicked;
                }
            }
        }
    }

    /// After a panic: builds everything anew that may have been left half done.
    fn survives(&mut self) -> bool {
        self.counters.panics.inc();
        self.counters.set_flowing(false);
        let now = Instant::now();
        self.panics.retain(|&at| now.duration_since(at) < PANIC_WINDOW);
        self.panics.push(now);
        if self.panics.len() >= MOST_PANICS {
            return false;
        }
        warn!("the judging thread panicked: the pipeline is built anew");
        let rebuilt = catch_unwind(AssertUnwindSafe(|| self.listener.rebuild()));
        match rebuilt {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                error!(%error, "the pipeline can't be built anew");
                false
            }
            Err(_) => false,
        }
    }

    fn listen(&mut self) -> Ended {
        loop {
            let wait = match self.device.next() {
                Found::Block(block, rate) => {
                    self.listener.take(self.device.samples(), block, rate, self.device.waiting());
                    Duration::ZERO
                }
                Found::Nothing => NAP,
                Found::Closed(wait) => wait,
                Found::Opened(rate) => {
                    self.listener.opened(rate);
                    Duration::ZERO
                }
                Found::Lost => {
                    self.listener.lost();
                    Duration::ZERO
                }
                Found::End => {
                    self.listener.finish();
                    return Ended::SourceEnded;
                }
                Found::Failed(error) => return Ended::SourceFailed(error),
            };
            if let Some(ended) = self.obey(wait) {
                return ended;
            }
        }
    }

    /// Takes the orders that are there, waiting `wait` for the first.
    fn obey(&mut self, wait: Duration) -> Option<Ended> {
        let mut order = if wait.is_zero() {
            self.orders.try_recv()
        } else {
            self.orders.recv_timeout(wait).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            })
        };
        loop {
            match order {
                Err(TryRecvError::Empty) => return None,
                Ok(Order::Stop) | Err(TryRecvError::Disconnected) => return Some(Ended::Stopped),
                Ok(Order::Listen(words)) => self.listener.listen_for(words),
                Ok(Order::Report(fanout)) => self.listener.report_to(fanout),
                Ok(Order::Review(feed)) => self.listener.review_by(feed),
                Ok(Order::Capture(input, audio)) => {
                    info!(device = input.name(), "another device");
                    self.listener.change_source(input.name().into());
                    let counters = Arc::clone(&self.counters);
                    self.device = Device::new(input, &audio, counters, true);
                }
            }
            order = self.orders.try_recv();
        }
    }
}
