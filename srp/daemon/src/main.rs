//! `srpd run FILE`, `srpd check FILE`, `srpd schema`, `srpd socket FILE` and `srpd replay FILE`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use srp_core::config::{Config, LogConfig, LogFormat};
use srpd::unprivileged::become_user;
use srpd::{replay, start};
use tracing_appender::non_blocking::WorkerGuard;

/// Redundancy daemon of one chassis.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the chassis that FILE describes, until SIGTERM; SIGHUP reads FILE again.
    Run {
        /// Configuration, TOML.
        file: PathBuf,
        /// Give up root at once and be this user, with the five capabilities that a chassis needs; it has to be able to read FILE
        /// and what FILE names
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Check FILE and touch nothing.
    Check {
        /// Configuration, TOML.
        file: PathBuf,
    },
    /// Print a JSON Schema of the configuration, for editors.
    Schema,
    /// Print the control socket that FILE names, for scripts: `srpctl --socket $(srpd socket FILE) ...`.
    Socket {
        /// Configuration, TOML.
        file: PathBuf,
    },
    /// Feed recorded events to a state machine of this release, and print what it does; the first difference ends it.
    Replay {
        /// What [record] names in the configuration, or its older half (.old).
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the result alone.
        #[arg(short, long)]
        quiet: bool,
    },
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Check { file } => match start::check(&file) {
            Ok(()) => {
                println!("{}: no errors", file.display());
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::Socket { file } => match start::load(&file) {
            Ok(config) => {
                println!("{}", config.control.socket.display());
                ExitCode::SUCCESS
            }
            Err(error) => fail(&error),
        },
        Command::Schema => {
            println!("{:#}", srp_core::config::json_schema());
            ExitCode::SUCCESS
        }
        Command::Replay { files, quiet } => {
            // Every file is replayed, also after one that fails.
            let failed =
                files.iter().filter(|file| replay::print(file, quiet).inspect_err(report).is_err()).count();
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Command::Run { file, user } => match user.as_deref().map_or(Ok(()), become_user) {
            Ok(()) => load_and_run(&file),
            Err(error) => fail(&error),
        },
    }
}

/// Paths in the file start at its folder, whatever the folder of the process: a reload compares them.
fn load_and_run(file: &Path) -> ExitCode {
    let file = match std::path::absolute(file) {
        Ok(file) => file,
        Err(error) => return fail(&start::StartError::System(error)),
    };
    match start::load(&file) {
        Ok(config) => run(file, config),
        Err(error) => fail(&error),
    }
}

fn run(file: PathBuf, config: Config) -> ExitCode {
    let _written = log_to_stderr(&config.log);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&start::StartError::System(error)),
    };
    match runtime.block_on(start::run(file, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

fn fail(error: &impl std::fmt::Display) -> ExitCode {
    report(error);
    ExitCode::FAILURE
}

fn report(error: &impl std::fmt::Display) {
    eprintln!("srpd: {error}");
}

/// By a thread of its own: whoever reads the log and stops reading must not stop the chassis thread. Lines that find 128,000
/// others waiting are lost. What is returned writes the last lines when it is dropped, and gives up after a second.
fn log_to_stderr(config: &LogConfig) -> WorkerGuard {
    let (stderr, written) = tracing_appender::non_blocking(std::io::stderr());
    let filter = tracing_subscriber::EnvFilter::new(&config.level);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_target(false);
    match config.format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    written
}
