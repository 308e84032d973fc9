//! A text as numbered lines of words.

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: usize,
    /// Columns before its first word.
    pub indent: usize,
    /// As it is written, without blanks at the ends.
    pub text: String,
    /// Its words; quotes around one are gone.
    pub words: Vec<String>,
}

impl Line {
    /// A word in lower case: keywords are the same in any case. Empty if there are not so many.
    pub fn keyword(&self, index: usize) -> String {
        self.words.get(index).map(|word| word.to_ascii_lowercase()).unwrap_or_default()
    }
}

/// The commands of a text: no empty lines, no comments. `#exit`, which a saved configuration has where a mode ends, is one.
/// A line that ends with `\` goes on in the next one.
pub fn lines(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut goes_on = false;
    for (index, raw) in text.lines().enumerate() {
        let text = raw.trim();
        let is_exit = text.eq_ignore_ascii_case("#exit");
        if !goes_on && (text.is_empty() || text.starts_with('!') || text.starts_with('#') && !is_exit) {
            continue;
        }
        let continued = goes_on;
        goes_on = text.ends_with('\\');
        let words = words(text.trim_end_matches('\\').trim());
        if let Some(line) = lines.last_mut().filter(|_| continued) {
            line.words.extend(words);
        } else {
            let indent = raw.len() - raw.trim_start().len();
            lines.push(Line { number: index + 1, indent, text: text.to_owned(), words });
        }
    }
    lines
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"').and_then(|open| open.split_once('"')) {
            Some(quoted) => quoted,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = behind.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_commands_but_exit_is() {
        let read = lines("! a comment\n\n# another\n  context SRP\n  #EXIT\n");
        let shown: Vec<_> = read.iter().map(|line| (line.number, line.indent, line.keyword(0))).collect();
        assert_eq!(shown, [(4, 2, "context".to_owned()), (5, 2, "#exit".to_owned())]);
    }

    #[test]
    fn quotes_hold_a_word_together_and_a_backslash_two_lines() {
        let read = lines("description \"to the  core\" 7\nboot system priority 1 \\\n  image /flash/x\nend");
        assert_eq!(read[0].words, ["description", "to the  core", "7"]);
        assert_eq!(read[1].words, ["boot", "system", "priority", "1", "image", "/flash/x"]);
        assert_eq!((read[2].number, read[2].keyword(0)), (4, "end".to_owned()));
    }
}
