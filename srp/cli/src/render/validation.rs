//! `srp validate-switchover` and `srp validate-configuration`.

use srp_core::api::Validation;

use super::table::{Edge, table};

/// With what follows for a switchover.
pub fn validation(validation: &Validation) -> String {
    let verdict = if validation.passed() { "would be accepted" } else { "would be refused" };
    format!("{}\nA planned switchover {verdict}.\n", checks(validation))
}

/// The checks alone.
pub fn checks(validation: &Validation) -> String {
    let rows: Vec<_> = validation
        .checks
        .iter()
        .map(|check| {
            let result = if check.passed { "ok" } else { "FAILED" };
            vec![check.name.clone(), result.to_owned(), check.detail.clone()]
        })
        .collect();
    let header = [("Check", Edge::Left), ("Result", Edge::Left), ("Detail", Edge::Left)];
    table(&header, &rows)
}

#[cfg(test)]
mod tests {
    use srp_core::api::Check;

    use super::*;

    #[test]
    fn every_check_is_shown_passed_or_not() {
        let check =
            |name: &str, passed, detail: &str| Check { name: name.into(), passed, detail: detail.into() };
        let all = Validation {
            checks: vec![
                check("link", true, "connected"),
                check("configuration", false, "2 differences: see `show configuration srp`"),
            ],
        };
        let expected = "\
Check          Result  Detail
link           ok      connected
configuration  FAILED  2 differences: see `show configuration srp`

A planned switchover would be refused.
";
        assert_eq!(validation(&all), expected);
        assert_eq!(checks(&all), expected.split("\nA planned").next().expect("the table"));
        let passed = Validation { checks: vec![check("link", true, "")] };
        assert!(validation(&passed).ends_with("A planned switchover would be accepted.\n"));
    }
}
