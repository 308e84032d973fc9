//! Files with the keys of BGP neighbours, and who else can read them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use srp_core::config::Config;
use tracing::warn;

/// Warns of those that others than their owner can read, as of the key of the link.
pub fn warn_of_exposed(config: &Config) {
    for file in named(config) {
        // One that is not there was found when it was read.
        let Ok(metadata) = std::fs::metadata(file) else { continue };
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            let file = file.display();
            warn!(
                "{file}, a key of BGP neighbours, has mode {mode:04o}: others than its owner can read it; `chmod 600 {file}`"
            );
        }
    }
}

/// Each once.
fn named(config: &Config) -> BTreeSet<&Path> {
    let instances = config.contexts.iter().filter_map(|context| context.bgp.as_ref());
    let sessions =
        instances.flat_map(|bgp| bgp.neighbors.iter().chain(bgp.ranges.iter().map(|range| &range.session)));
    let files =
        sessions.flat_map(|session| [session.md5_key_file.as_deref(), session.ao_key_file.as_deref()]);
    files.flatten().collect()
}
