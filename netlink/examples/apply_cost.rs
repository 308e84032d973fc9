//! What it costs to bring the kernel to a wanted state: `cargo run --release -p netlink --example apply_cost [ROUTES]`.
//!
//! Makes a network namespace of its own (needs root), measures there, and leaves nothing behind. Prints medians and
//! worst cases; compare ratios between the lines of one run, since machines and their neighbours differ.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::time::{Duration, Instant};

use netlink::{
    Address, Kernel, LinkName, NextHop, Prefix, Route, RouteChange, RouteTarget, Section, Settings, TableId,
};
use nix::sched::{CloneFlags, unshare};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const TAKEOVERS: usize = 1000;

fn main() -> Outcome<()> {
    let routes: u32 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    // The threads that are made later live in the new namespace too.
    unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| format!("a network namespace of our own (needs root): {errno}"))?;
    ip("link set lo up")?;
    ip("link add east type veth peer name west")?;
    ip("address add 192.0.2.1/24 dev east")?;
    ip("link set west up")?;
    ip("link set east up")?;
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(measure(routes))
}

async fn measure(routes: u32) -> Outcome<()> {
    let (kernel, _events) = Kernel::start(Settings::default())?;
    println!("one address and one pool, {TAKEOVERS} times, from asking to the answer:");
    takeovers(&kernel, &section(1)?).await?;
    println!("ten addresses and ten pools, {TAKEOVERS} times:");
    takeovers(&kernel, &section(10)?).await?;

    println!("{routes} learned routes (IPv4, one gateway):");
    let set = changes(routes, "192.0.2.2")?;
    let per_route = |took: Duration| took / routes;
    let report = kernel.update_learned(set.clone()).await?;
    println!("  add      {:>10.1?}   {:>8.1?} each", report.took, per_route(report.took));
    let report = kernel.update_learned(changes(routes, "192.0.2.3")?).await?;
    println!("  replace  {:>10.1?}   {:>8.1?} each", report.took, per_route(report.took));
    let report = kernel.compare().await?;
    println!("  compare  {:>10.1?}   {:>8.1?} each, nothing to do", report.took, per_route(report.took));

    println!("one address and one pool while the {routes} routes are compared:");
    let small = section(1)?;
    let (report, meanwhile) = tokio::join!(kernel.compare(), takeovers_until(&kernel, &small, routes));
    println!("  compare  {:>10.1?} beside them", report?.took);
    meanwhile?;
    println!("one address and one pool while the {routes} routes are replaced again:");
    let update = kernel.update_learned(set);
    let meanwhile = takeovers_until(&kernel, &small, routes);
    let (report, meanwhile) = tokio::join!(update, meanwhile);
    println!("  replace  {:>10.1?} beside them", report?.took);
    meanwhile?;

    let gone = (0..routes).map(|n| RouteChange::Remove { table: TableId::MAIN, prefix: nth(n) }).collect();
    let report = kernel.update_learned(gone).await?;
    println!("  remove   {:>10.1?}   {:>8.1?} each", report.took, per_route(report.took));

    let few = routes.min(20_000);
    println!("{few} of the same routes through the crate `rtnetlink`, awaiting each:");
    let took = through_rtnetlink(few).await?;
    println!("  add      {took:>10.1?}   {:>8.1?} each", took / few);
    kernel.remove_all_ours().await?;
    Ok(())
}

async fn takeovers(kernel: &Kernel, section: &Section) -> Outcome<()> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..TAKEOVERS {
        up.push(timed(kernel, section.clone()).await?);
        down.push(timed(kernel, Section::default()).await?);
    }
    print("add", up);
    print("remove", down);
    Ok(())
}

/// As often as fits beside the long update: the namespace's table is big, and a slice of it may be under way.
async fn takeovers_until(kernel: &Kernel, section: &Section, routes: u32) -> Outcome<()> {
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..(routes / 1000).max(10) {
        up.push(timed(kernel, section.clone()).await?);
        down.push(timed(kernel, Section::default()).await?);
    }
    print("add", up);
    print("remove", down);
    Ok(())
}

async fn timed(kernel: &Kernel, section: Section) -> Outcome<Duration> {
    let asked = Instant::now();
    let report = kernel.set_srp(section).await?;
    let took = asked.elapsed();
    match report.refused.first() {
        Some(refused) => Err(refused.clone().into()),
        None if report.added + report.removed == 0 => Err("a takeover that changed nothing".into()),
        None => Ok(took),
    }
}

fn print(what: &str, mut all: Vec<Duration>) {
    all.sort();
    let at = |share: usize| all[(all.len() * share / 100).min(all.len() - 1)];
    println!("  {what:<8} median {:>8.1?}   99 % {:>8.1?}   worst {:>8.1?}", at(50), at(99), at(100));
}

fn section(count: u8) -> Outcome<Section> {
    let mut section = Section::default();
    for n in 1..=count {
        let ip = IpAddr::V4(Ipv4Addr::new(198, 51, 100, n));
        section = section
            .with_address(Address::new(ip, LinkName::lo())?)
            .with_route(Route::blackhole(TableId::MAIN, format!("172.16.{n}.0/24").parse()?));
    }
    Ok(section)
}

/// The n-th of 2^24 prefixes of 10.0.0.0/8 and what follows.
fn nth(n: u32) -> Prefix {
    Prefix::host(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n)))
}

fn changes(count: u32, gateway: &str) -> Outcome<Vec<RouteChange>> {
    let hop = NextHop::via(gateway.parse()?).ok_or("a gateway that needs a link")?;
    let target = RouteTarget::Via(hop.into());
    (0..count).map(|n| Ok(RouteChange::Set(Route::new(TableId::MAIN, nth(n), target.clone())?))).collect()
}

async fn through_rtnetlink(count: u32) -> Outcome<Duration> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    tokio::spawn(connection);
    let gateway = Ipv4Addr::new(192, 0, 2, 2);
    let begin = Instant::now();
    for n in 0..count {
        let route = rtnetlink::RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(Ipv4Addr::from(0x0a00_0000 + n), 32)
            .gateway(gateway)
            .priority(83)
            .build();
        handle.route().add(route).execute().await?;
    }
    Ok(begin.elapsed())
}

fn ip(words: &str) -> Outcome<()> {
    let status = Command::new("ip").args(words.split_whitespace()).status();
    match status.map_err(|error| format!("the tool `ip` (package iproute2) is needed: {error}"))? {
        ended if ended.success() => Ok(()),
        ended => Err(format!("ip {words}: {ended}").into()),
    }
}
