//! `bulkstat mode`: counts to files.

use super::found::{Bulk, set};
use super::lines::Line;
use super::walk::Taken;

/// One line of the mode.
pub fn line(bulk: &mut Bulk, line: &Line) -> Taken {
    let undoes = matches!(line.keyword(0).as_str(), "no" | "default");
    let at = usize::from(undoes);
    match (line.keyword(at).as_str(), undoes) {
        ("gather-on-standby", true) if line.keyword(0) == "default" => {
            bulk.keys.retain(|(key, _)| *key != "gather-on-standby");
            Taken::Yes
        }
        ("gather-on-standby", undone) => {
            set(&mut bulk.keys, "gather-on-standby", (!undone).to_string());
            Taken::Yes
        }
        ("sample-interval", false) => {
            // Minutes there; up to a day here.
            let minutes = line.words.get(1).and_then(|word| word.parse::<u32>().ok());
            let Some(minutes) = minutes.filter(|minutes| (1..=1_440).contains(minutes)) else {
                return Taken::No("its value is not understood".into());
            };
            set(&mut bulk.keys, "interval", format!("\"{}s\"", minutes * 60));
            Taken::Yes
        }
        ("sample-interval", true) => {
            bulk.keys.retain(|(key, _)| *key != "interval");
            Taken::Yes
        }
        ("transfer-interval" | "receiver" | "remotefile" | "limit", _) => {
            Taken::No("files stay here, `keep` of them, and are fetched from there".into())
        }
        ("file" | "header" | "footer" | "schema", _) => {
            Taken::No("the columns of the files are fixed, see docs/bulk-statistics.md".into())
        }
        _ if line.keyword(1) == "schema" => {
            Taken::No("the columns of the files are fixed, see docs/bulk-statistics.md".into())
        }
        _other => Taken::Unknown,
    }
}
