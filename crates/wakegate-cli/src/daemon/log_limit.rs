//! Says a thing once, and then seldom, however often it happens.

use std::time::{Duration, Instant};

/// Least time between two messages.
const PAUSE: Duration = Duration::from_secs(10);

/// Holds back messages that come too close after each other, and counts them.
#[derive(Debug, Default)]
pub struct LogLimit {
    last: Option<Instant>,
    hidden: u64,
}

impl LogLimit {
    /// Calls `message` with the number of those held back since the last one, unless that was
    /// a moment ago.
    pub fn say(&mut self, message: impl FnOnce(u64)) {
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            self.hidden += 1;
            return;
        }
        self.last = Some(now);
        message(std::mem::take(&mut self.hidden));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_message_at_once_is_held_back_and_counted_in_the_next() {
        let mut seldom = LogLimit::default();
        let mut said = Vec::new();
        (0..3).for_each(|_| seldom.say(|hidden| said.push(hidden)));
        assert_eq!(said, [0]);
        seldom.last = Instant::now().checked_sub(PAUSE);
        seldom.say(|hidden| said.push(hidden));
        assert!(said == [0, 2] || seldom.last.is_none());
    }
}
