//! The review queue: clips that the gate let through, for a person to judge, because the owner
//! agreed. Off unless enabled *and* consented to.
//!
//! Nothing but a [`crate::gate::IntendedClip`] can be stored. Each clip is encrypted with a key
//! of its own, which is wrapped by the device key; it expires, is leased to one reviewer at a
//! time, and is gone once it has its label. Everything done is a line in a hash-chained audit
//! log. `docs/THREATS.md` says what that protects from and what it does not.
//!
//! ```no_run
//! use std::sync::Arc;
//! use wakegate::gate::SystemClock;
//! use wakegate::review::{Label, Queue, Settings};
//!
//! let settings = Settings { enabled: true, ..Settings::default() };
//! let mut queue = Queue::open("queue".as_ref(), &settings, Arc::new(SystemClock::new()))?;
//! let reviewer = "Ann".parse()?;
//! while let Some(clip) = queue.next_for(&reviewer)? {
//!     println!("{} of \"{}\"", clip.audio.len(), clip.record.wake_word);
//!     queue.label(&reviewer, &clip.id, Label::Intended)?;
//! }
//! # Ok::<(), wakegate::Error>(())
//! ```

mod altered;
mod audit;
#[cfg(test)]
mod carve;
mod consent;
#[cfg(test)]
mod crash;
mod crypto;
mod db;
mod destroy;
mod fault;
mod file_ownership;
mod id;
mod keyfile;
mod queue;
#[cfg(test)]
mod races;
mod record;
mod recorder;
mod reset;
mod reviewing;
mod schema;
mod settings;
mod standing;
mod stats;
mod store;
mod stream_feed;
mod time;

pub use audit::{Act, Line, Mark, Verified};
pub use consent::Consent;
pub use destroy::destroy;
pub use file_ownership::open_secret;
pub use id::{ClipId, Label, Person};
pub use queue::Queue;
pub use record::{LabelledScore, Record};
pub use recorder::Recorder;
pub use reviewing::{Answer, Entry, LeasedClip};
pub use settings::Settings;
pub use standing::Standing;
pub use stats::{CONFIDENCE, Certificate, Day, Stats};
pub use store::Stored;
pub use stream_feed::Feed;
