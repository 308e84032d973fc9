//! `upgrade`: the pair as a whole, and what is known of it.

use clap::Subcommand;

/// `upgrade ...`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Upgrade {
    /// The image: a path, or sftp://, https://, http:// or ftp://; its .sig comes along
    #[arg(value_name = "FILE", required = true)]
    pub file: Option<String>,

    /// How.
    #[command(flatten)]
    pub how: How,

    /// The image may be older than what runs
    #[arg(long)]
    pub older: bool,

    /// What else.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What an upgrade and a rollback are told.
#[derive(Clone, Debug, clap::Args)]
pub struct How {
    /// The other chassis, by SSH [default: root at the peer-ip-address of the running configuration]
    #[arg(long, value_name = "ssh://[USER@]ADDRESS[:PORT]")]
    pub peer: Option<String>,

    /// After each switchover, run this here; what fails stops the upgrade. `$SRP_UPGRADE_ACTIVE` is `here` or `peer`
    #[arg(long, value_name = "COMMAND")]
    pub test: Option<String>,

    /// In the end, let the chassis serve that served in the beginning
    #[arg(long)]
    pub switch_back: bool,

    /// Say what would be done and what is in the way, and change nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Return at once; `upgrade status --watch` follows
    #[arg(long)]
    pub detach: bool,
}

/// `upgrade WORD`.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// What is done, what is next, and why it stopped; on either chassis, --watch follows
    Status,
    /// Go on where it stopped
    Resume {
        /// Return at once
        #[arg(long)]
        detach: bool,
        /// When the machine starts: only what was interrupted by that
        #[arg(long, hide = true)]
        at_boot: bool,
    },
    /// Give it up: what is done stays as it is
    Abort,
    /// Go back to the images from before the last upgrade, Standby first
    Rollback {
        /// How.
        #[command(flatten)]
        how: How,
    },
    /// Remember what the peer carries out; its state is on standard input
    #[command(hide = true)]
    Hold,
    /// Carry out what is written down
    #[command(hide = true)]
    Work,
}
