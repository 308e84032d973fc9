//! Inputs that are kept: `corpus/TARGET.txt`, one a line in hexadecimal, the shortest first.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::feedback::Features;
use crate::targets::Target;

/// Longer inputs teach little that shorter ones do not, and make the repository large.
const LONGEST: usize = 400;

fn file(target: &Target) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", &format!("{}.txt", target.name)].iter().collect()
}

/// What is kept for a target; nothing where there is no file.
pub fn load(target: &Target) -> io::Result<Vec<Vec<u8>>> {
    match fs::read_to_string(file(target)) {
        Ok(text) => text
            .lines()
            .map(|line| octets(line).ok_or_else(|| io::Error::other(format!("{line} is not hexadecimal"))))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Keeps those of the inputs that each lead to something that the target's seeds and the shorter ones do not.
pub fn save(target: &Target, mut inputs: Vec<Vec<u8>>) -> io::Result<usize> {
    inputs.retain(|input| input.len() <= LONGEST);
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    let mut features = Features::default();
    for seed in (target.seeds)() {
        (target.run)(&seed, &mut features);
    }
    features.take_new();
    inputs.retain(|input| {
        (target.run)(input, &mut features);
        features.take_new()
    });
    let lines: String = inputs.iter().map(|input| hexadecimal(input) + "\n").collect();
    fs::write(file(target), lines)?;
    Ok(inputs.len())
}

/// The octets of a text in hexadecimal; `None` for any other text.
pub fn octets(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

pub fn hexadecimal(octets: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
