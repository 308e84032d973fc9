//! The operator guide as data: its sections, and the blocks of each with what their first line says of them.
//!
//! The word after the three marks is the language; the words behind it say where a block is for. A block that nobody knows what to
//! do with is an error, so that nothing in the page goes untried.

use std::path::Path;

/// What is to be done with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Typed on the machine that builds.
    Build,
    /// `scp` lines: typed where the files are, and where nothing else is said, that is the machine that builds.
    Carry(Option<&'static str>),
    /// Typed on one chassis.
    On(&'static str),
    /// Typed on both, one after the other.
    OnBoth,
    /// Typed on the one that is Active.
    OnActive,
    /// Typed on the one that is Standby.
    OnStandby,
    /// Added to the configuration of one chassis.
    Append(&'static str),
    /// The router's configuration.
    Router,
    /// For machines of another kind than those here.
    Elsewhere,
}

/// A block of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Number of its section.
    pub section: u32,
    /// Which block of the section, from 0.
    pub number: usize,
    /// What it is for.
    pub used: Use,
    /// Its lines.
    pub text: String,
}

impl Block {
    /// The commands, without what is said of them.
    pub fn commands(&self) -> Vec<String> {
        let lines = self.text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

/// The page.
pub struct Page {
    text: String,
}

impl Page {
    pub fn read() -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operator-guide.md");
        Self { text: std::fs::read_to_string(file).expect("the operator guide") }
    }

    /// Every block, in the order of the page.
    pub fn blocks(&self) -> Vec<Block> {
        let (mut section, mut number) = (0, 0);
        let mut blocks: Vec<Block> = Vec::new();
        let mut open = None;
        for line in self.text.lines() {
            match (&mut open, line.strip_prefix("```")) {
                (None, Some(words)) => open = Some((purpose(words), String::new())),
                (Some((used, text)), Some("")) => {
                    blocks.push(Block { section, number, used: *used, text: std::mem::take(text) });
                    (open, number) = (None, number + 1);
                }
                (Some((_, text)), _) => {
                    text.push_str(line);
                    text.push('\n');
                }
                (None, None) => {
                    if let Some(title) = line.strip_prefix("## ") {
                        let begin = title.split('.').next().and_then(|begin| begin.parse().ok());
                        (section, number) = (begin.unwrap_or_else(|| panic!("a number in {title:?}")), 0);
                    }
                }
            }
        }
        assert!(open.is_none(), "a block is not closed");
        blocks
    }

    /// What the table of section 7 promises: lines of `show` commands, name and value.
    pub fn promised(&self) -> Vec<(String, String)> {
        let table = self.text.lines().skip_while(|line| !line.starts_with("| You want to see")).skip(2);
        let cells = table.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
        cells
            .filter_map(|cell| cell.split('`').nth(1)?.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

fn purpose(words: &str) -> Use {
    match words {
        "sh build" => Use::Build,
        "sh carry" => Use::Carry(None),
        "sh east carry" => Use::Carry(Some("east")),
        "sh west carry" => Use::Carry(Some("west")),
        "sh east" => Use::On("east"),
        "sh west" => Use::On("west"),
        "sh" | "sh busybox" => Use::OnBoth,
        "sh active" | "sh active busybox" => Use::OnActive,
        "sh standby" | "sh standby busybox" => Use::OnStandby,
        "toml east" => Use::Append("east"),
        "toml west" => Use::Append("west"),
        "text frr" => Use::Router,
        "sh systemd" => Use::Elsewhere,
        other => panic!("nobody knows what a block of {other:?} in the operator guide is for"),
    }
}
