//! Columns that line up.

use super::clean;

/// Which edge of a column its cells stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Lays out `rows` under `header`, two blanks between columns and none at the end of a line.
pub fn table(header: &[(&str, Edge)], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([header[column].0.chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<String> = cells
            .zip(&widths)
            .zip(header)
            .map(|((cell, &width), (_, edge))| match edge {
                Edge::Left => format!("{cell:<width$}"),
                Edge::Right => format!("{cell:>width$}"),
            })
            .collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut header.iter().map(|(name, _)| *name));
    for row in &rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

/// Lines of a label with its colon and a value, the values under each other.
pub fn fields(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(label, _)| label.chars().count() + 1).max().unwrap_or(0);
    lines
        .iter()
        .map(|(label, value)| {
            format!("{:<width$}  {}", format!("{label}:"), clean(value)).trim_end().to_owned() + "\n"
        })
        .collect()
}

/// A line for each text, each with `indent` before it.
pub fn indented(indent: &str, lines: impl IntoIterator<Item = String>) -> String {
    lines.into_iter().fold(String::new(), |text, line| text + indent + &clean(&line) + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let header = [("Name", Edge::Left), ("Count", Edge::Right), ("Note", Edge::Left)];
        let rows = [
            vec!["a".to_owned(), "1".to_owned(), String::new()],
            vec!["longer name".to_owned(), "1234567".to_owned(), "x\u{7}".to_owned()],
        ];
        let expected = "\
Name           Count  Note
a                  1
longer name  1234567  x?
";
        assert_eq!(table(&header, &rows), expected);
    }
}
