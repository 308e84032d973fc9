//! Carriers that the far ends change, passed into the machine.

use std::io;
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

use super::place::Place;
use super::qmp::QmpError;
use crate::error::LabError;

/// Calls `tell` with the number of each wire whose carrier changes, until the stream that is returned is closed. The name is for
/// messages.
pub fn watch(
    place: &Place,
    name: &str,
    tell: impl Fn(usize, bool) -> Result<(), QmpError> + Send + 'static,
) -> Result<(UnixStream, JoinHandle<()>), LabError> {
    let doing = || format!("watch the links of {name}");
    let network = |error: io::Error| LabError::Network { doing: doing(), reason: error.to_string() };
    let (stop, stopped) = UnixStream::pair().map_err(network)?;
    let watch = place.watch()?;
    let owner = name.to_owned();
    let thread = thread::Builder::new().name(format!("carrier {name}")).spawn(move || {
        let result = watch.run(&stopped, |at, carrier| {
            if let Err(error) = tell(at, carrier) {
                eprintln!("lab: {owner}: carrier of wire {at} not passed on: {error}");
            }
        });
        if let Err(error) = result {
            eprintln!("lab: {owner}: carriers are no longer passed on: {error}");
        }
    });
    Ok((stop, thread.map_err(network)?))
}
