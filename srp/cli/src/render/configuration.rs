//! `show configuration srp`: TOML that can be fed back, and the comparison with the peer as comments.

use super::table::indented;

pub fn configuration(text: &str, differences: Option<&[String]>) -> String {
    let comparison = match differences {
        None => "# The peer's configuration is not known.\n".to_owned(),
        Some([]) => "# The peer's configuration agrees.\n".to_owned(),
        Some(differences) => {
            "# The peer's configuration differs:\n".to_owned()
                + &indented("#   ", differences.iter().cloned())
        }
    };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}\n{comparison}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_stands_in_comments() {
        let text = "[srp]\npriority = 10\n";
        for (differences, expected) in [
            (None, "# The peer's configuration is not known.\n"),
            (Some(vec![]), "# The peer's configuration agrees.\n"),
            (
                Some(vec!["pool a: 10.0.0.0/8 here, missing on the peer".to_owned()]),
                "# The peer's configuration differs:\n#   pool a: 10.0.0.0/8 here, missing on the peer\n",
            ),
        ] {
            assert_eq!(configuration(text, differences.as_deref()), format!("{text}\n{expected}"));
        }
    }
}
