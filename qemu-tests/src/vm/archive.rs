//! What a machine of the development image is told of itself: an archive of its own behind the image's, with its name and its
//! links.

use std::fs;
use std::path::Path;

use super::place::Place;
use crate::error::LabError;

/// The archive `initramfs` with the machine's own behind it.
pub fn own(name: &str, place: &Place, initramfs: &Path) -> Result<Vec<u8>, LabError> {
    let links: Vec<_> = place
        .ports()
        .iter()
        .enumerate()
        .map(|(at, port)| image::overlay::Link {
            mac: place.mac(at),
            name: port.name.clone(),
            addresses: port.addresses.iter().map(ToString::to_string).collect(),
        })
        .collect();
    let own = image::overlay::overlay(name, &links).map_err(|error| LabError::Network {
        doing: format!("describe {name}"),
        reason: error.to_string(),
    })?;
    let shared = fs::read(initramfs).map_err(LabError::file("reading", initramfs))?;
    Ok(image::overlay::append(&shared, &own))
}
