//! What a chassis says of itself, as far as an upgrade looks at it: the JSON of `srpctl`, of this release or of one beside it.
//!
//! Fields that are not read here may come and go; one that is read and missing is an error that names it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `show srp info`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Info {
    /// `Active`, `Standby` or a state between.
    pub chassis_state: String,
    /// The peer's Hello, while the link is up.
    pub peer: Option<Peer>,
    /// Address of the peer.
    pub peer_address: String,
    /// `Connected`, or why not.
    pub connection_state: String,
    /// `In sync`, or how it differs.
    pub configuration_state: String,
    /// Life of `srpd`.
    pub boot_id: String,
    /// Objects that the kernel refused.
    pub kernel_refused: Vec<String>,
}

/// The peer in [`Info`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Peer {
    /// Its state.
    pub state: String,
}

/// `show srp monitor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Monitors {
    /// What is watched.
    pub monitors: Vec<Monitor>,
    /// What has failed.
    pub failures: Vec<Failure>,
}

/// One thing that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Monitor {
    /// `AAA`, `BGP` and so on.
    pub kind: String,
    /// What.
    pub name: String,
    /// `Up`, `Down` or `Unknown`.
    pub state: String,
}

/// A failure in [`Monitors`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// In words.
    pub what: String,
}

/// A context of `show ip bgp summary`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Bgp {
    /// Its name.
    pub context: String,
    /// What is announced now.
    pub originated: Vec<Value>,
    /// Its neighbours.
    pub neighbors: Vec<Neighbor>,
}

/// A neighbour of [`Bgp`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Neighbor {
    /// Its address.
    pub address: String,
    /// Session state.
    pub state: String,
    /// Prefixes that it has told.
    pub prefixes_received: u64,
}

/// An event of `show snmp trap history`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// Its public name.
    pub name: String,
    /// For people.
    #[serde(default)]
    pub detail: Option<String>,
}

/// `show boot`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Boot {
    /// What was booted; nothing on a machine that the loader did not start.
    pub booted: Option<Booted>,
    /// What the next start boots.
    pub next: Option<Entry>,
    /// All entries, the first one first.
    pub entries: Vec<Entry>,
}

/// What was booted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Booted {
    /// The image, as an operator writes it.
    pub image: String,
    /// The configuration.
    pub config: Option<String>,
    /// No entry could be booted.
    #[serde(default)]
    pub last_resort: bool,
}

/// An entry of the boot stack.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Entry {
    /// 1 to 100.
    pub priority: u8,
    /// The image, as an operator writes it.
    pub image: String,
    /// The configuration.
    pub config: String,
    /// `good`, `new` or `bad`.
    #[serde(default)]
    pub state: String,
    /// Why it was passed over, in a word.
    #[serde(default)]
    pub why: Option<String>,
}

/// Release and build of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// `MAJOR.MINOR.PATCH`.
    pub version: String,
    /// Which build of it.
    pub build: String,
}

impl Release {
    /// Its three numbers; a text that has none is older than everything.
    pub fn numbers(&self) -> [u32; 3] {
        let mut parts = self.version.split('.').map(|part| part.parse().unwrap_or(0));
        [(); 3].map(|()| parts.next().unwrap_or(0))
    }
}

impl std::fmt::Display for Release {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.version, self.build)
    }
}

/// `show version`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Running {
    /// The image that runs, as an operator writes it.
    pub image: Option<String>,
    /// What it says of itself.
    pub manifest: Option<Release>,
}

/// `directory`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Directory {
    /// Where the data partition is.
    pub folder: String,
    /// Octets free.
    pub free: u64,
}

/// Neighbours and routes, to be compared with those of another time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// BGP neighbours that are Established.
    pub established: u64,
    /// Prefixes that they have told.
    pub received: u64,
    /// Prefixes that are announced.
    pub announced: u64,
}

impl Counts {
    /// Those of all contexts.
    pub fn of(contexts: &[Bgp]) -> Self {
        let mut counts = Self::default();
        for context in contexts {
            counts.announced += context.originated.len() as u64;
            for neighbor in context.neighbors.iter().filter(|neighbor| neighbor.state == "Established") {
                counts.established += 1;
                counts.received += neighbor.prefixes_received;
            }
        }
        counts
    }
}

/// Reads an answer; the error names the field.
///
/// # Errors
/// What is missing or of another kind.
pub fn read<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_of_a_later_release_are_read_as_well() {
        let boot: Boot = read(json!({
            "booted": { "image": "/flash/a.bin", "config": "/flash/c", "slot": 1, "last-resort": true, "later": 1 },
            "next": { "priority": 10, "image": "/flash/a.bin", "config": "/flash/c" },
            "entries": [],
            "later": {}
        }))
        .unwrap();
        assert!(boot.booted.unwrap().last_resort);
        assert_eq!(boot.next.unwrap().priority, 10);
        let missing = read::<Running>(json!({ "image": "/flash/a.bin", "manifest": { "version": "1.0.0" } }));
        assert!(missing.unwrap_err().contains("`build`"));
    }

    #[test]
    fn only_established_neighbours_count() {
        let neighbor = |state: &str| json!({ "address": "a", "state": state, "prefixes_received": 4 });
        let context = json!({ "context": "d", "originated": [{}, {}], "neighbors": [neighbor("Established"), neighbor("Active")] });
        let contexts: Vec<Bgp> = read(json!([context.clone(), context])).unwrap();
        assert_eq!(Counts::of(&contexts), Counts { established: 2, received: 8, announced: 4 });
    }

    #[test]
    fn releases_compare_as_numbers() {
        let of = |version: &str| Release { version: version.into(), build: String::new() }.numbers();
        assert!(of("0.9.1") < of("0.10.0"));
        assert_eq!(of("x"), [0, 0, 0]);
    }
}
