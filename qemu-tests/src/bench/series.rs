//! One quantity over all runs, and what is said of it. Pure.

use serde::Serialize;

/// One quantity over all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// What was measured.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// One value per run.
    pub values: Vec<f64>,
}

/// How values are spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least value.
    pub least: f64,
    /// Half of the values are below it.
    pub median: f64,
    /// 95 of 100 values are not above it.
    pub p95: f64,
    /// 99 of 100 values are not above it; of fewer than 100 values the worst.
    pub p99: f64,
    /// The greatest value.
    pub worst: f64,
}

impl Series {
    /// How the values are spread; `None` without a value.
    pub fn spread(&self) -> Option<Spread> {
        spread(&self.values)
    }
}

/// How `values` are spread; `None` without a value.
pub fn spread(values: &[f64]) -> Option<Spread> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, worst) = (sorted.first().copied()?, sorted.last().copied()?);
    // The value that at least this many of a hundred do not exceed.
    let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).clamp(1, sorted.len()) - 1];
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    };
    Some(Spread { least, median, p95: rank(95), p99: rank(99), worst })
}

/// Series by name, in the order of their first value.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Collected(pub Vec<Series>);

impl Collected {
    /// Adds a value to the series `name`.
    pub fn push(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|series| series.name == name) {
            Some(series) => series.values.push(value),
            None => self.0.push(Series { name: name.to_owned(), unit, values: vec![value] }),
        }
    }

    /// The series `name`.
    pub fn find(&self, name: &str) -> Option<&Series> {
        self.0.iter().find(|series| series.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_has_the_median_in_its_middle() {
        let told = |values: &[f64]| spread(values).map(|found| (found.least, found.median, found.worst));
        assert_eq!(told(&[3.0, 1.0, 2.0]), Some((1.0, 2.0, 3.0)));
        assert_eq!(told(&[4.0, 1.0, 2.0, 3.0]), Some((1.0, 2.5, 4.0)));
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let found = spread(&hundred).expect("has values");
        assert_eq!((found.p95, found.p99), (95.0, 99.0));
        let few = spread(&[1.0, 2.0]).expect("has values");
        assert_eq!((few.p95, few.p99), (2.0, 2.0));
    }

    #[test]
    fn a_series_keeps_its_place() {
        let mut collected = Collected::default();
        for (name, value) in [("b", 1.0), ("a", 2.0), ("b", 3.0)] {
            collected.push(name, "ms", value);
        }
        let told: Vec<_> =
            collected.0.iter().map(|series| (series.name.as_str(), series.values.len())).collect();
        assert_eq!(told, [("b", 2), ("a", 1)]);
    }
}
