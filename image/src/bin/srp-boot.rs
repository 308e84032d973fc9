//! `srp-boot`: the little that an image itself does to its boot. In the initrd it takes the root out of the image; in the
//! running system it writes the health checks' verdict into the boot stack.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use image::boot::file::change;
use image::boot::{BootFile, Entry, FileError, Stack, StackError, Why};
use image::booted::Booted;
use image::root_part;

const USAGE: &str = "usage: srp-boot root COPY|bad|unfit|good|is-good [FLASH [COMMAND-LINE-FILE]]
  root     copy the root out of the booted image file, and check it
  bad      the booted slot has no root: the loader must not try it again
  unfit    the booted slot's daemon refuses its configuration: the same
  good     the booted slot is good: the loader need not count any longer
  is-good  end with 0 if the booted slot is good already";

/// What is asked for. No parser of arguments: it would be half of the program, which is in every initrd.
#[derive(Clone, Debug)]
enum Act {
    Root(PathBuf),
    Bad,
    Unfit,
    Good,
    IsGood,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum BootError {
    #[error("{USAGE}")]
    Usage,
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the loader named no image: srp.image= is not on the kernel's command line")]
    NoImage,
    #[error(transparent)]
    Root(#[from] root_part::RootError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Stack(#[from] StackError),
    #[error("no slot of the boot stack has the booted image {image}")]
    NoSlot { image: String },
    #[error("the booted slot is not good yet")]
    NotGood,
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match run(&words) {
        Ok(said) => {
            if let Some(said) = said {
                println!("{said}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("srp-boot: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<Option<String>, BootError> {
    let mut words = words.iter().map(String::as_str);
    let act = match words.next() {
        Some("root") => Act::Root(words.next().ok_or(BootError::Usage)?.into()),
        Some("bad") => Act::Bad,
        Some("unfit") => Act::Unfit,
        Some("good") => Act::Good,
        Some("is-good") => Act::IsGood,
        Some(_) | None => return Err(BootError::Usage),
    };
    let flash = Path::new(words.next().unwrap_or("/flash"));
    let line = Path::new(words.next().unwrap_or("/proc/cmdline"));
    let io = |source| BootError::Io { path: line.to_owned(), source };
    let booted = Booted::read(&fs::read_to_string(line).map_err(io)?);
    match act {
        Act::Root(copy) => {
            let image = booted.image.as_deref().ok_or(BootError::NoImage)?;
            root_part::copy(&flash.join(image.trim_start_matches('/')), &copy)?;
            Ok(None)
        }
        Act::Bad => mark(flash, &booted, |stack, entry| stack.mark_bad(entry.priority, Why::Root)),
        Act::Unfit => mark(flash, &booted, |stack, entry| stack.mark_bad(entry.priority, Why::Configuration)),
        Act::Good => mark(flash, &booted, |stack, entry| stack.mark_good(entry.priority)),
        Act::IsGood => {
            let stack = BootFile::read(flash)?.stack;
            if own(&stack, &booted)?.good { Ok(None) } else { Err(BootError::NotGood) }
        }
    }
}

/// The entry that was booted.
fn own<'a>(stack: &'a Stack, booted: &Booted) -> Result<&'a Entry, BootError> {
    let image = booted.image.as_deref().ok_or(BootError::NoImage)?;
    booted.entry(stack).ok_or_else(|| BootError::NoSlot { image: image.to_owned() })
}

fn mark(
    flash: &Path,
    booted: &Booted,
    mark: impl Fn(&mut Stack, &Entry) -> Result<(), StackError>,
) -> Result<Option<String>, BootError> {
    /// Another command holds the file for as long as a few writes take.
    const TRIES: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(100);
    let mut tries = TRIES;
    loop {
        let done = change(flash, |block| {
            let entry = own(&block.stack, booted)?.clone();
            mark(&mut block.stack, &entry)?;
            Ok::<_, BootError>(entry)
        });
        match done {
            Err(BootError::File(FileError::Busy { .. })) if tries > 0 => thread::sleep(PAUSE),
            Ok(entry) => return Ok(Some(format!("boot entry {} ({})", entry.priority, entry.image))),
            Err(error) => return Err(error),
        }
        tries -= 1;
    }
}
