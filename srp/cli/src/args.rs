//! The command line, in the words of the public commands; any unambiguous beginning of a word will do.

mod events;
pub mod flash;
mod interfaces;
#[cfg(test)]
mod page;
mod request;
pub mod upgrade;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::configure::{Configure, Save};
use events::{EventFilter, ShowSnmp};
use flash::{Boot, Filesystem, No};
use interfaces::{ShowInterface, ShowPort};

/// Operator commands of the redundancy pair.
#[derive(Debug, Parser)]
#[command(name = "srpctl", version, infer_subcommands = true)]
pub struct Args {
    // Text of the help, not of the documentation: Markdown quotes have no business in it.
    #[arg(long, global = true, value_name = "PATH")]
    #[arg(help = "Control socket of srpd [default: $SRP_SOCKET, else /run/srp/srpd.sock]")]
    pub socket: Option<PathBuf>,

    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// Longest wait for srpd, seconds [default: 10, for a switchover 90]
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: Option<u64>,

    /// Ask again every SECONDS, until Ctrl-C; for `show`
    #[arg(long, global = true, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1")]
    #[arg(require_equals = true, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub watch: Option<u64>,

    /// Where the data partition is mounted
    #[arg(long, global = true, value_name = "DIR", default_value = "/flash")]
    pub flash: PathBuf,

    /// Public keys of the loader, by which images are verified
    #[arg(long, global = true, value_name = "FILE", default_value = image::signature::KEYRING)]
    pub keys: PathBuf,

    /// What the kernel was started with
    #[arg(long, global = true, value_name = "FILE", default_value = "/proc/cmdline", hide = true)]
    pub command_line: PathBuf,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// First word.
#[derive(Debug, Subcommand)]
#[command(infer_subcommands = true)]
pub enum Command {
    /// Show state
    #[command(subcommand_value_name = "WHAT", infer_subcommands = true)]
    Show {
        /// What to show.
        #[command(subcommand)]
        what: Show,
    },
    /// Begin anew
    #[command(infer_subcommands = true)]
    Clear {
        /// What to clear.
        #[command(subcommand)]
        what: Clear,
    },
    /// Write a table to a file
    #[command(infer_subcommands = true)]
    Dump {
        /// What to write.
        #[command(subcommand)]
        what: Dump,
    },
    /// Act on the pair
    #[command(infer_subcommands = true)]
    Srp {
        /// What to do.
        #[command(subcommand)]
        action: Srp,
    },
    /// Change the configuration file in steps that can be taken back
    #[command(infer_subcommands = true)]
    Configure {
        /// The file [default: that of the running srpd]
        #[arg(long, value_name = "PATH", global = true)]
        file: Option<PathBuf>,
        /// What to do.
        #[command(subcommand)]
        action: Configure,
    },
    /// Say what is booted, on this machine; works without srpd
    #[command(infer_subcommands = true)]
    Boot {
        /// What to do.
        #[command(subcommand)]
        what: Boot,
    },
    /// Take back what a command entered
    #[command(infer_subcommands = true)]
    No {
        /// Which.
        #[command(subcommand)]
        what: No,
    },
    /// List the files of a folder, and the room beside them
    Directory {
        /// The folder [default: /flash]
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
    /// Copy a file to or from here; one of both is a path
    Copy {
        /// A path, or file://, sftp://, https://, http:// or ftp://; - for standard input, to /flash
        #[arg(value_name = "FROM", allow_hyphen_values = true)]
        from: String,
        /// The same; a folder takes the name along
        #[arg(value_name = "TO")]
        to: String,
        /// Replace what is there without a question; -noconfirm does, too
        #[arg(long)]
        noconfirm: bool,
        /// What standard input has; another number is refused
        #[arg(long, value_name = "N")]
        octets: Option<u64>,
    },
    /// Bring the pair to another release, Standby first, and stop at the first doubt
    #[command(infer_subcommands = true)]
    Upgrade(upgrade::Upgrade),
    /// See that the disk has what was written
    #[command(infer_subcommands = true)]
    Filesystem {
        /// What to do.
        #[command(subcommand)]
        what: Filesystem,
    },
    /// Restart this chassis into what the boot stack says
    Reload {
        /// Without a question; -noconfirm does, too
        #[arg(long)]
        noconfirm: bool,
    },
    /// Keep the running configuration
    #[command(infer_subcommands = true)]
    Save {
        /// What to keep.
        #[command(subcommand)]
        what: Save,
    },
    /// Turn a StarOS-style configuration into one of srpd, on standard output; what has no place in it is listed on standard error
    Import {
        /// The text, as `show configuration` prints it; - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Make a private key and a self-signed certificate for each name
    Keygen {
        /// Folder for NAME.key and NAME.crt; made if it does not exist
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Names of the chassis, such as: east west
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print what a shell needs to complete commands
    Completion {
        /// Which shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write a manual page for each command
    Man {
        /// Folder; made if it does not exist
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
}

/// `show ...`.
#[derive(Debug, Subcommand)]
pub enum Show {
    /// The redundancy pair
    #[command(infer_subcommands = true)]
    Srp {
        /// What of it.
        #[command(subcommand)]
        what: ShowSrp,
    },
    /// Routing
    #[command(infer_subcommands = true)]
    Ip {
        /// What of it.
        #[command(subcommand)]
        what: ShowIp,
    },
    /// What was booted, what was passed over and why, and what is next
    Boot,
    /// Release of what runs, or everything that is right and wrong with an image
    Version {
        /// The image
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Build of what runs, with its members and their checksums
    Build,
    /// Links that the configuration names: what the kernel and their drivers say
    #[command(infer_subcommands = true)]
    Port {
        /// What of them.
        #[command(subcommand)]
        what: ShowPort,
    },
    /// Timeline of the last switchover, or a list of all since the start
    Switchover {
        /// Which
        #[arg(value_enum, default_value_t = Which::Last)]
        which: Which,
    },
    /// Named events: what happened, how bad it was, and whom it was about
    #[command(infer_subcommands = true)]
    Events {
        /// Which; all if absent.
        #[command(subcommand)]
        filter: Option<EventFilter>,
    },
    /// Events with a public SNMP notification
    #[command(infer_subcommands = true)]
    Snmp {
        /// What of it.
        #[command(subcommand)]
        what: ShowSnmp,
    },
    /// What support asks for, in one archive
    #[command(infer_subcommands = true)]
    Support {
        /// What of it.
        #[command(subcommand)]
        what: ShowSupport,
    },
    /// The running configuration and how it differs from the peer's
    #[command(infer_subcommands = true)]
    Configuration {
        /// What of it.
        #[command(subcommand)]
        what: ShowConfiguration,
    },
}

/// `show support ...`.
#[derive(Debug, Subcommand)]
pub enum ShowSupport {
    /// Every show command, the configuration without keys, the record, versions
    Details {
        /// Of what
        #[arg(value_enum)]
        scope: Scope,
        /// The archive [default: srp-support.tar.gz here]
        #[arg(value_name = "FILE", default_value = "srp-support.tar.gz", hide_default_value = true)]
        file: PathBuf,
    },
}

/// What support is asked about.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Scope {
    /// The redundancy pair
    #[value(alias = "icshr")]
    Icsr,
}

/// `show srp ...`.
#[derive(Debug, Subcommand)]
pub enum ShowSrp {
    /// State of this chassis, of the peer and of the link between them
    Info,
    /// Messages, switchovers by reason, and errors, counted since srpd started
    Statistics,
    /// Everything at once, for support
    Details,
    /// What is watched, what of it has failed, and why nothing follows if nothing does
    Monitor {
        /// Which
        #[arg(value_enum, default_value_t = Monitor::All)]
        which: Monitor,
        /// Counters as well, of Diameter peers
        #[arg(value_enum)]
        debug: Option<Debug>,
    },
}

/// `show ip ...`.
#[derive(Debug, Subcommand)]
pub enum ShowIp {
    /// BGP: all routes, those to PREFIX or ADDRESS, or more
    #[command(infer_subcommands = true, args_conflicts_with_subcommands = true)]
    Bgp {
        /// A prefix, or an address for the longest prefix that holds it
        #[arg(value_name = "PREFIX", value_parser = destination)]
        to: Option<String>,
        /// What of it.
        #[command(subcommand)]
        what: Option<ShowBgp>,
    },
    /// Interfaces of the contexts: addresses as configured and as the kernel has them
    Interface(ShowInterface),
}

/// A prefix or an address; a mistyped word is neither, and is told so here.
fn destination(text: &str) -> Result<String, String> {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    let good = address.parse::<IpAddr>().is_ok() && length.parse::<u8>().is_ok();
    good.then(|| text.to_owned()).ok_or_else(|| {
        "neither a prefix (10.0.0.0/8), nor an address (10.1.2.3), nor `summary` or `neighbors`".to_owned()
    })
}

/// `dump ...`.
#[derive(Debug, Subcommand)]
pub enum Dump {
    /// Every BGP path that neighbours have told, as an MRT file (RFC 6396)
    Bgp {
        /// Name of the context
        #[arg(value_name = "CONTEXT")]
        context: String,
        /// The file, which srpd writes
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `clear ...`.
#[derive(Debug, Subcommand)]
pub enum Clear {
    /// Routing
    #[command(infer_subcommands = true)]
    Ip {
        /// What of it.
        #[command(subcommand)]
        what: ClearIp,
    },
}

/// `clear ip ...`.
#[derive(Debug, Subcommand)]
pub enum ClearIp {
    /// A BGP session: end it and begin anew, or softly, without ending it
    Bgp {
        /// Address of the neighbour
        #[arg(value_name = "NEIGHBOR")]
        neighbor: String,
        /// Leave the session up
        #[arg(value_enum, requires = "direction")]
        soft: Option<Soft>,
        /// Judge again what it told us, or tell it again what we have
        #[arg(value_enum)]
        direction: Option<Direction>,
    },
}

/// The word `soft`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Soft {
    /// Leave the session up
    Soft,
}

/// Which way.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Direction {
    /// What the neighbour told us
    In,
    /// What we tell the neighbour
    Out,
}

/// `show ip bgp ...`.
#[derive(Debug, Subcommand)]
pub enum ShowBgp {
    /// Neighbours and originated prefixes of each context
    Summary,
    /// Everything about all neighbours or one, or the routes of one
    Neighbors {
        /// Address of the neighbour
        #[arg(value_name = "NEIGHBOR")]
        neighbor: Option<String>,
        /// Its routes
        #[arg(value_enum)]
        which: Option<NeighborRoutes>,
    },
}

/// Routes of a neighbour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum NeighborRoutes {
    /// What it told us, refused routes as well
    ReceivedRoutes,
    /// What we tell it
    AdvertisedRoutes,
}

/// `show configuration ...`.
#[derive(Debug, Subcommand)]
pub enum ShowConfiguration {
    /// The whole file, with defaults filled in
    Srp,
}

/// `srp ...`.
#[derive(Debug, Subcommand)]
pub enum Srp {
    /// Hand over to the Standby (on the Active)
    InitiateSwitchover {
        /// Skip validation, never the order of steps
        #[arg(value_enum)]
        force: Option<Force>,
    },
    /// Check whether a planned switchover would be accepted
    ValidateSwitchover,
    /// Compare the configurations of both chassis now, item by item
    ValidateConfiguration,
    /// End at once what is left to do after a switchover: the old Active's forwarding (on either chassis)
    TerminatePostProcess,
    /// Let failures of the AAA servers count again, on a chassis that took over for one
    ResetAuthProbeFail,
    /// Let failures of the Diameter peers count again, on a chassis that took over for one
    ResetDiameterFail,
}

/// Monitors to show.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Monitor {
    /// All monitors
    All,
    /// BGP neighbours
    Bgp,
    /// Routers, by BFD
    Bfd,
    /// AAA servers
    AuthenticationProbe,
    /// Diameter peers
    Diameter,
    /// Interfaces
    Interface,
}

/// The word `debug`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Debug {
    /// Counters as well
    Debug,
}

/// Switchovers to show.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Which {
    /// The last one, step by step
    Last,
    /// All since srpd started, a line each
    All,
}

/// The word `force`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Force {
    /// Skip validation
    Force,
}
