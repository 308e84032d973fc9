//! The `bgp-io` thread.

use tokio::sync::mpsc;

use crate::config::SpeakerConfig;
use crate::event::Event;
use crate::handle::{SpeakerHandle, StartError};

pub(crate) fn start(_config: SpeakerConfig) -> Result<(SpeakerHandle, mpsc::Receiver<Event>), StartError> {
    Err(StartError::Thread(std::io::ErrorKind::Unsupported.into()))
}
