//! Real-time priority for the judging thread, and for the sound card's, which it starts.

use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};
use tracing::{info, warn};

/// Asks for `priority` for the calling thread; 0 asks for nothing. A thread that it starts
/// inherits it. A refusal is a warning.
pub fn ask(priority: u8) {
    if priority == 0 {
        return;
    }
    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
    let result = ThreadPriorityValue::try_from(priority)
        .map_err(|error| error.to_string())
        .and_then(|value| {
            let value = ThreadPriority::Crossplatform(value);
            set_thread_priority_and_policy(thread_native_id(), value, policy)
                .map_err(|error| format!("{error:?}"))
        });
    match result {
        Ok(()) => info!(priority, "real-time priority"),
        Err(error) => warn!(
            priority,
            error,
            hint = "give the service LimitRTPRIO, or set runtime.priority = 0",
            "no real-time priority"
        ),
    }
}
