//! QMP, QEMU's control protocol, on QEMU's standard input and output.
//!
//! One JSON object a line: a greeting, then an answer per command, with events between them. Only what a lab needs is here.
//! Source: QEMU "QMP protocol specification".

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// QEMU answers from its main loop; when that hangs, so does the machine.
const LIMIT: Duration = Duration::from_secs(10);

/// Why QEMU did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// QEMU is gone.
    #[error("QEMU has ended")]
    Gone,
    /// QEMU does not answer.
    #[error("QEMU does not answer within {LIMIT:?}")]
    Silent,
    /// QEMU refused.
    #[error("QEMU refuses `{command}`: {reason}")]
    Refused {
        /// The command's name.
        command: &'static str,
        /// QEMU's words.
        reason: String,
    },
    /// The command could not be written.
    #[error("writing to QEMU: {0}")]
    Write(#[from] io::Error),
}

/// A control connection.
#[derive(Debug)]
pub struct Qmp {
    line: Mutex<(ChildStdin, Receiver<Value>)>,
}

impl Qmp {
    /// Waits for the greeting and leaves the negotiation mode. QEMU has made all its devices when this returns.
    pub fn open(input: ChildStdin, output: ChildStdout) -> Result<Self, QmpError> {
        let (sender, answers) = channel();
        thread::Builder::new().name("qmp".to_owned()).spawn(move || {
            for line in BufReader::new(output).lines() {
                let Ok(line) = line else { break };
                // Events are for those who watch; a lab sees what happens on its own ways.
                match serde_json::from_str::<Value>(&line) {
                    Ok(value) if value.get("event").is_none() => {
                        if sender.send(value).is_err() {
                            break;
                        }
                    }
                    Ok(_) | Err(_) => {}
                }
            }
        })?;
        let greeting = receive(&answers)?;
        if greeting.get("QMP").is_none() {
            return Err(QmpError::Refused { command: "greeting", reason: greeting.to_string() });
        }
        let qmp = Self { line: Mutex::new((input, answers)) };
        qmp.execute("qmp_capabilities", &json!({}))?;
        Ok(qmp)
    }

    /// Plugs the cable of the network device `device` in or out, as the guest sees it.
    pub fn set_link(&self, device: &str, up: bool) -> Result<(), QmpError> {
        self.execute("set_link", &json!({ "name": device, "up": up })).map(|_| ())
    }

    /// Takes a device out of the machine.
    pub fn unplug(&self, device: &str) -> Result<(), QmpError> {
        self.execute("device_del", &json!({ "id": device })).map(|_| ())
    }

    fn execute(&self, command: &'static str, arguments: &Value) -> Result<Value, QmpError> {
        // One command at a time, so that the next answer is its own.
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let (input, answers) = &mut *line;
        let text = json!({ "execute": command, "arguments": arguments }).to_string();
        input.write_all(text.as_bytes())?;
        input.write_all(b"\n")?;
        input.flush()?;
        let mut answer = receive(answers)?;
        if let Some(value) = answer.get_mut("return") {
            return Ok(value.take());
        }
        let reason = answer.pointer("/error/desc").and_then(Value::as_str).map(str::to_owned);
        Err(QmpError::Refused { command, reason: reason.unwrap_or_else(|| answer.to_string()) })
    }
}

fn receive(answers: &Receiver<Value>) -> Result<Value, QmpError> {
    answers.recv_timeout(LIMIT).map_err(|error| match error {
        RecvTimeoutError::Disconnected => QmpError::Gone,
        RecvTimeoutError::Timeout => QmpError::Silent,
    })
}
