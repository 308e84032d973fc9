//! Calls of other programs: one way to run them and to say what went wrong.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::error::ImageError;

/// A program that the builder calls, and the Debian package that has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    name: &'static str,
    package: &'static str,
}

pub(crate) const APT_CACHE: Tool = Tool { name: "apt-cache", package: "apt" };
pub(crate) const APT_GET: Tool = Tool { name: "apt-get", package: "apt" };
pub(crate) const DPKG_DEB: Tool = Tool { name: "dpkg-deb", package: "dpkg" };

impl Tool {
    /// A tool by name and package.
    pub(crate) const fn new(name: &'static str, package: &'static str) -> Self {
        Self { name, package }
    }

    /// A command without standard input; messages in English.
    pub(crate) fn command(self) -> Command {
        let mut command = Command::new(self.name);
        command.stdin(Stdio::null()).env("LC_ALL", "C");
        command
    }

    /// Runs `command` to its end and returns its standard output.
    pub(crate) fn output(self, command: &mut Command) -> Result<Vec<u8>, ImageError> {
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output();
        self.judge(command, output)
    }

    /// As [`Tool::output`], with `input` on standard input.
    pub(crate) fn filter(self, command: &mut Command, input: &[u8]) -> Result<Vec<u8>, ImageError> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = command.spawn().and_then(|mut child| {
            let stdin = child.stdin.take();
            thread::scope(|scope| {
                // A tool that stops reading ends with a status that says more than our broken pipe.
                scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
                child.wait_with_output()
            })
        });
        self.judge(command, output)
    }

    fn judge(
        self,
        command: &Command,
        output: io::Result<std::process::Output>,
    ) -> Result<Vec<u8>, ImageError> {
        match output {
            Ok(output) if output.status.success() => Ok(output.stdout),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(ImageError::Tool {
                    line: line(command),
                    said: format!("{} ({})", said.trim(), output.status),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ImageError::NoTool { tool: self.name, package: self.package })
            }
            Err(error) => Err(ImageError::Tool { line: line(command), said: error.to_string() }),
        }
    }
}

fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_its_package() {
        let tool = Tool::new("no-such-program", "no-such-package");
        let error = tool.output(&mut tool.command()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no-such-program is not installed: install the Debian package no-such-package"
        );
    }

    #[test]
    fn a_filter_passes_its_input_through() {
        let tool = Tool::new("cat", "coreutils");
        let input = vec![b'x'; 1 << 20];
        assert_eq!(tool.filter(&mut tool.command(), &input).unwrap(), input);
    }

    #[test]
    fn a_failure_carries_what_the_tool_said() {
        let tool = Tool::new("cat", "coreutils");
        let error = tool.output(tool.command().arg("/no/such/file")).unwrap_err().to_string();
        assert!(error.starts_with("`cat /no/such/file` failed: "), "{error}");
        assert!(error.contains("No such file"), "{error}");
    }
}
