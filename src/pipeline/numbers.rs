//! Numbers of activations, by which a word and its verdict belong together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers activations from 1. Streams that share one, by clones of it, have no number twice.
#[derive(Debug, Clone, Default)]
pub struct Numbers {
    last: Arc<AtomicU64>,
}

impl Numbers {
    /// The next number.
    pub(super) fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Begins at 1 again, unless other streams have a part in it.
    pub(super) fn restart(&mut self) {
        if let Some(last) = Arc::get_mut(&mut self.last) {
            *last.get_mut() = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_ones_own_begin_anew() {
        let mut own = Numbers::default();
        assert_eq!((own.next(), own.next()), (1, 2));
        own.restart();
        assert_eq!(own.next(), 1);
        let other = own.clone();
        own.restart();
        assert_eq!((other.next(), own.next()), (2, 3));
    }
}
