//! Files with keys, and who else can read them.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use srp_core::config::{Config, SnmpSecurity};
use tracing::warn;

use crate::probes;

/// The mode of a file that others than its owner can read; `None` for one that nobody else can.
pub fn exposed_mode(file: &Path) -> io::Result<Option<u32>> {
    let mode = std::fs::metadata(file)?.mode() & 0o7777;
    Ok(Some(mode).filter(|mode| mode & 0o077 != 0))
}

/// Warns of keys and secrets that others than their owner can read, as of the key of the link.
pub fn warn_of_exposed(config: &Config) {
    let keys = named(config).into_iter().map(|file| (file, "a key of BGP neighbours"));
    let stations = of_stations(config).into_iter().map(|file| (file, "a secret of SNMP stations"));
    let secrets = probes::secret_files(config).into_iter().map(|file| (file, "a secret of AAA servers"));
    for (file, what) in keys.chain(stations).chain(secrets) {
        // One that is not there was found when it was read.
        if let Ok(Some(mode)) = exposed_mode(file) {
            let file = file.display();
            warn!(
                "{file}, {what}, has mode {mode:04o}: others than its owner can read it; `chmod 600 {file}`"
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

/// Each once.
fn of_stations(config: &Config) -> BTreeSet<&Path> {
    let files = config.outlets.snmp.iter().flat_map(|target| match &target.security {
        SnmpSecurity::V2c { community_file } => [Some(community_file.as_path()), None],
        SnmpSecurity::V3 { user: _, auth, privacy_file } => {
            [auth.as_ref().map(|(_, file)| file.as_path()), privacy_file.as_deref()]
        }
    });
    files.flatten().collect()
}
