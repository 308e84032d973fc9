//! `srpctl upgrade`: the whole upgrade of the pair by one command, on either chassis.
//!
//! How it is carried out: the command looks at both chassis and writes down what is to be done (`store`); a worker, which is a
//! program of its own and survives whoever looks on, does it step by step (crate `upgrade`) through `chassis`; everybody else reads
//! what it writes down (`show`). When this chassis restarts, a script starts the worker again.

mod chassis;
mod program;
mod show;
mod store;

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use upgrade::work::{self, Glance, Stop, Wish};
use upgrade::{Outcome, Pair, Side, State, Trouble};

use crate::args::Args;
use crate::args::upgrade::{Action, How, Upgrade};
use crate::flash::Said;
use crate::render::clean;
use crate::transfer::PlaceError;
use chassis::{Machines, Remote, absolute, handed_on};
use store::{By, Store};

/// Between two looks at what the worker has written down.
const LOOK: Duration = Duration::from_millis(500);
/// A worker that has not begun by then does not.
const BEGINS: Duration = Duration::from_secs(20);
/// One that was asked to stop may wait for an answer; what takes long it breaks off.
const STOPS: Duration = Duration::from_mins(3);

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// A file.
    #[error("cannot {act} {}: {source}", .file.display())]
    File { file: PathBuf, act: &'static str, source: io::Error },
    /// What is remembered cannot be written.
    #[error("{0}")]
    Store(String),
    /// What is remembered cannot be read.
    #[error("{} is damaged: {why}; remove it, and see `show boot` on both chassis", .file.display())]
    Damaged { file: PathBuf, why: String },
    /// Another one.
    #[error("an upgrade to {image} is in hand{}: see `upgrade status`; `upgrade resume` or `upgrade abort` first", on(*.by))]
    InHand { image: String, by: By },
    /// Somebody carries it out at this moment.
    #[error("somebody carries an upgrade out here at this moment: see `upgrade status`")]
    Works,
    /// There is none.
    #[error("there is no upgrade {0}")]
    None(&'static str),
    /// The other chassis has it.
    #[error("the peer carries it out: {0} there")]
    Peer(&'static str),
    /// The peer's address.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// What was found before the first step.
    #[error("{}", .0.join("\n"))]
    Doubts(Vec<String>),
    /// The worker.
    #[error("the worker {0}: see {log}; `upgrade resume` goes on", log = .1.display())]
    Worker(String, PathBuf),
}

fn on(by: By) -> &'static str {
    match by {
        By::Here => "",
        By::Peer => ", carried out by the peer",
    }
}

impl UpgradeError {
    fn file(file: &std::path::Path, act: &'static str) -> impl FnOnce(io::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::File { file, act, source }
    }
}

impl From<Stop> for UpgradeError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Doubts(doubts) => Self::Doubts(doubts),
            Stop::Told => Self::Doubts(Trouble::Told.lines()),
        }
    }
}

impl From<Trouble> for UpgradeError {
    fn from(trouble: Trouble) -> Self {
        Self::Doubts(trouble.lines())
    }
}

impl From<UpgradeError> for Said {
    fn from(error: UpgradeError) -> Self {
        let reasons: Vec<_> = error.to_string().lines().map(str::to_owned).collect();
        Self { text: String::new(), json: json!({ "reasons": reasons }), reasons }
    }
}

/// Does what the command line says.
pub fn run(args: &Args, asked: &Upgrade) -> Result<Said, UpgradeError> {
    let store = Store::new(&args.flash);
    match (&asked.action, &asked.file) {
        (None, Some(file)) => {
            let (machines, wish) = wish(args, &asked.how)?;
            let wish = Wish { source: absolute(file), older: asked.older, ..wish };
            // Said before anything else: what is looked at changes while another one is carried out.
            if !asked.how.dry_run {
                store.free_for(&wish.id)?;
            }
            let mut glance = Glance::new(machines);
            let state = work::begin(&mut glance, &wish)?;
            start(args, &store, glance, &state, &asked.how)
        }
        (Some(Action::Rollback { how }), _) => {
            let (_, last) = store
                .present()?
                .ok_or(UpgradeError::None("to go back from: docs/boot.md has the single steps"))?;
            let last = if store.read(By::Here)?.as_ref() == Some(&last) { last } else { last.seen_by_peer() };
            let (machines, wish) = wish(args, how)?;
            let mut glance = Glance::new(machines);
            let state = work::back(&mut glance, &last, &wish)?;
            start(args, &store, glance, &state, how)
        }
        (Some(Action::Status), _) => status(args, &store),
        (Some(Action::Resume { detach, at_boot }), _) => resume(args, &store, *detach, *at_boot),
        (Some(Action::Abort), _) => abort(args, &store),
        (Some(Action::Hold), _) => hold(&store),
        (Some(Action::Work), _) => carry_out(args, &store),
        (None, None) => Err(UpgradeError::None("without a FILE")), // clap asks for one
    }
}

/// The machines and the wish of a command line, without the image.
fn wish(args: &Args, how: &How) -> Result<(Machines, Wish), UpgradeError> {
    let peer = match &how.peer {
        Some(peer) => peer.clone(),
        None => format!("ssh://root@{}", bracketed(&peer_address(args)?)),
    };
    let machines = Machines::new(args, Remote::read(&peer)?).deaf();
    let id = machines.now_us().to_string();
    let wish = Wish { id, peer, test: how.test.clone(), switch_back: how.switch_back, ..Wish::default() };
    Ok((machines, wish))
}

/// `peer-ip-address` of what runs.
fn peer_address(args: &Args) -> Result<String, UpgradeError> {
    // Nobody is asked over ssh for that.
    let mut own = Machines::new(args, Remote::read("nobody")?).deaf();
    let info = own.ask(Side::Here, &["show", "srp", "info"])?;
    let info: upgrade::facts::Info =
        upgrade::facts::read(info).map_err(|why| UpgradeError::Doubts(vec![why]))?;
    Ok(info.peer_address)
}

fn bracketed(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// Shows what would be done, or has it done.
fn start(
    args: &Args,
    store: &Store,
    mut glance: Glance<Machines>,
    state: &State,
    how: &How,
) -> Result<Said, UpgradeError> {
    let findings = work::survey(&mut glance, state);
    let mut machines = glance.over();
    let doubts: Vec<_> = findings.iter().flat_map(|finding| finding.doubts.clone()).collect();
    let taken = store.free_for(&state.id);
    if how.dry_run {
        let mut reasons = doubts;
        reasons.extend(taken.err().map(|error| error.to_string()));
        return Ok(show::plan(state, &findings, reasons));
    }
    taken?;
    if !doubts.is_empty() {
        return Err(UpgradeError::Doubts(doubts));
    }
    {
        let _lock = store.lock()?;
        // Somebody may have been faster.
        store.free_for(&state.id)?;
        machines.tell_peer(state)?;
        store.go_on();
        store.write(By::Here, state)?;
    }
    set_to_work(args, store)?;
    if how.detach {
        return Ok(show::status(By::Here, state, true));
    }
    follow(args, store)
}

/// Starts the worker, which lasts longer than whoever starts it.
fn set_to_work(args: &Args, store: &Store) -> Result<(), UpgradeError> {
    let log = store.log();
    let open = OpenOptions::new().create(true).write(true).truncate(true).open(&log);
    let file = open.map_err(UpgradeError::file(&log, "write"))?;
    let again = file.try_clone().map_err(UpgradeError::file(&log, "write"))?;
    let worker = |why: String| UpgradeError::Worker(why, log.clone());
    let program = std::env::current_exe().map_err(|error| worker(format!("is not found: {error}")))?;
    let mut command = Command::new(program);
    command.args(handed_on(args)).args(["upgrade", "work"]);
    command.stdin(Stdio::null()).stdout(file).stderr(again);
    let mut child = command.spawn().map_err(|error| worker(format!("does not start: {error}")))?;
    let end = Instant::now() + BEGINS;
    while !store.works() {
        if let Ok(Some(status)) = child.try_wait() {
            // It may have had little to do.
            let over = store.read(By::Here)?.is_some_and(|state| state.outcome != Outcome::Running);
            return if over { Ok(()) } else { Err(worker(format!("has ended ({status})"))) };
        }
        if Instant::now() > end {
            return Err(worker("does not begin".to_owned()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The worker itself.
fn carry_out(args: &Args, store: &Store) -> Result<Said, UpgradeError> {
    // Of its own session: a terminal that closes, and Ctrl-C there, are none of its business. It fails for one that is so already.
    let _ = nix::unistd::setsid();
    let _lock = store.lock()?;
    let mut state = store.read(By::Here)?.ok_or(UpgradeError::None("to carry out"))?;
    let mut machines = Machines::new(args, Remote::read(&state.peer)?);
    work::run(&mut machines, &mut state)?;
    store.go_on();
    if state.outcome == Outcome::Aborted {
        // Those questions were not asked, this is.
        let _ = machines.deaf().tell_peer(&state);
    }
    Ok(show::status(By::Here, &state, false))
}

/// Prints what is done, step by step, until it has ended.
fn follow(args: &Args, store: &Store) -> Result<Said, UpgradeError> {
    let mut told = show::Told::default();
    loop {
        let (by, state) = store.present()?.ok_or(UpgradeError::None("to follow"))?;
        let works = by == By::Peer || store.works();
        if !args.json {
            let mut out = io::stdout().lock();
            // Whoever reads may have gone; the worker goes on.
            let _ = out.write_all(told.news(&state).as_bytes()).and_then(|()| out.flush());
        }
        if state.outcome != Outcome::Running {
            return Ok(show::ended(by, &state));
        }
        if !works {
            // It ends right behind what it writes last.
            let last = store.present()?.is_some_and(|(_, now)| now.outcome == Outcome::Running);
            if last {
                return Err(UpgradeError::Worker("has ended without a word".to_owned(), store.log()));
            }
            continue;
        }
        thread::sleep(LOOK);
    }
}

fn status(args: &Args, store: &Store) -> Result<Said, UpgradeError> {
    let (by, state) = store.present()?.ok_or(UpgradeError::None("yet"))?;
    if args.watch.is_some() && state.outcome == Outcome::Running {
        return follow(args, store);
    }
    Ok(show::status(by, &state, by == By::Peer || store.works()))
}

fn resume(args: &Args, store: &Store, detach: bool, at_boot: bool) -> Result<Said, UpgradeError> {
    let own = store.read(By::Here)?.filter(State::holds);
    if at_boot {
        let interrupted = own.is_some_and(|state| state.outcome == Outcome::Running);
        if interrupted && !store.works() {
            set_to_work(args, store)?;
        }
        return Ok(Said::default());
    }
    let state = match (own, store.read(By::Peer)?.filter(State::holds)) {
        (Some(state), _) => state,
        (None, Some(_)) => return Err(UpgradeError::Peer("`upgrade resume`")),
        (None, None) => return Err(UpgradeError::None("to go on with")),
    };
    if store.works() {
        return Err(UpgradeError::Works);
    }
    let mut machines = Machines::new(args, Remote::read(&state.peer)?).deaf();
    machines.tell_peer(&State { outcome: Outcome::Running, ..state.clone() })?;
    store.go_on();
    store.write(By::Here, &State { outcome: Outcome::Running, ..state.clone() })?;
    set_to_work(args, store)?;
    if detach { Ok(show::status(By::Here, &state, true)) } else { follow(args, store) }
}

fn abort(args: &Args, store: &Store) -> Result<Said, UpgradeError> {
    let own = store.read(By::Here)?.filter(State::holds);
    let Some(state) = own else {
        let held = store.read(By::Peer)?.filter(State::holds).ok_or(UpgradeError::None("to give up"))?;
        let state = State { outcome: Outcome::Aborted, ..held };
        store.write(By::Peer, &state)?;
        let mut said = show::status(By::Peer, &state, false);
        said.text +=
            "Given up on this chassis only: `upgrade abort` on the peer, too, if it can be reached.\n";
        return Ok(said);
    };
    if store.works() {
        store.ask_to_stop()?;
        let end = Instant::now() + STOPS;
        while store.works() {
            if Instant::now() > end {
                return Err(UpgradeError::Works);
            }
            thread::sleep(LOOK);
        }
    }
    store.go_on();
    let state = store.read(By::Here)?.unwrap_or(state);
    let state = if state.holds() { State { outcome: Outcome::Aborted, ..state } } else { state };
    store.write(By::Here, &state)?;
    let mut said = show::status(By::Here, &state, false);
    let mut machines = Machines::new(args, Remote::read(&state.peer)?).deaf();
    if machines.tell_peer(&state).is_err() {
        said.text += "The peer does not know yet: `upgrade abort` there, too.\n";
    }
    Ok(said)
}

/// What the peer tells of what it carries out.
fn hold(store: &Store) -> Result<Said, UpgradeError> {
    let mut text = String::new();
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(UpgradeError::Peer("it is for a program: `upgrade FILE`"));
    }
    stdin.lock().read_to_string(&mut text).map_err(|error| UpgradeError::Store(error.to_string()))?;
    let state: State = serde_json::from_str(&text).map_err(|error| {
        UpgradeError::Store(format!("what the peer says cannot be read: {}", clean(&error.to_string())))
    })?;
    store.free_for(&state.id)?;
    store.write(By::Peer, &state)?;
    Ok(Said { text: String::new(), json: json!({ "held": state.id }), reasons: Vec::new() })
}
