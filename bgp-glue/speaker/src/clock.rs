//! The clock of a speaker: monotonic milliseconds since its start.

use bgp_proto::types::Time;
use tokio::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub(crate) fn now(self) -> Time {
        Time::from_millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn instant(self, at: Time) -> Instant {
        self.start + Duration::from_millis(at.as_millis())
    }
}
