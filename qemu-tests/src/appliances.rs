//! Two appliances as the chassis of a lab: one that starts by BIOS and one that starts by UEFI, each from its own disk.
//!
//! What is on a disk is what an operator would have put there: a signed image with its entry in the boot stack, a configuration
//! whose interfaces are those of the machine, keys. The lab's own program lies beside them, for the probes and for the lab's
//! hand in the machine; nothing of the lab is in the image.
//!
//! ```text
//!          r1            r2            routers and client: namespaces
//!       eth1|  \       /  |eth2
//!           |    \   /    |
//!        +------+  X   +------+
//!        | east |/   \ | west |        eth0: the SRP link, and the way from one to the other by SSH
//!        | BIOS |=eth0=| UEFI |
//!        +------+      +------+
//!           |eth3  host   |eth3        host: a namespace on one subnet with both, where a lab has it
//!           +------+------+
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use image::boot::{Block, BootFile, FlashPath, Stack};
use image::bundle::{Version, signature_of};
use image::disk::Loader;

use crate::error::LabError;
use crate::machines::{AGENT, Built, MEMORY_MIB};
use crate::pair::Keys;
use crate::reach::Reach;
use crate::scenario::stage::Appliances;
use crate::topology::Topology;
use crate::vm::Factory;
use crate::vm::firmware::Firmware;
use crate::vm::machine::Disk;
use crate::works::Works;

/// The configuration on `/flash`, for the boot stack.
const CONFIGURATION: &str = "/srp/srpd.toml";
/// What `/flash` has room for beyond what lies there at first.
const ROOM_MIB: u64 = 96;

/// `site` with the interfaces that a machine has: of the demonstration pair `eth0` is the SRP link, `eth1` leads to r1, `eth2` to r2,
/// and `eth3`, where there is one, to the host.
#[must_use]
pub fn topology(site: Topology) -> Topology {
    let mut topology = Topology { name: "appliances".to_owned(), ..site };
    let chassis: Vec<String> = topology.chassis().into_iter().map(str::to_owned).collect();
    for name in chassis {
        let ends = topology.links.iter_mut().flat_map(|link| [&mut link.a, &mut link.b]);
        for (at, end) in ends.filter(|end| end.node == name).enumerate() {
            end.name = format!("eth{at}");
        }
    }
    topology
}

/// Makes the disks of a pair in the folder `out`, and what boots them: on each an image of this release, on the first also one of the
/// next, to upgrade to.
pub fn pair(
    works: &Works,
    built: &Built,
    topology: &Topology,
    configurations: &BTreeMap<String, String>,
    out: &Path,
) -> Result<(Factory, Appliances), LabError> {
    fs::create_dir_all(out).map_err(LabError::file("making", out))?;
    let (image, next) = (out.join("srp.bin"), next_release());
    works.image(Version::ours(), "this", &image)?;
    let next_name = format!("srp-{next}.bin");
    let [srpctl, lab] = built.programs(["srpctl", AGENT])?.map(|program| program.file);
    let reach = Reach::make(&out.join("ssh"))?;
    let disks = Disks {
        topology,
        configurations,
        image: &image,
        loader: &works.loader,
        srpctl: &srpctl,
        lab: &lab,
        out: &out.join("disks"),
    };
    let mut first = true;
    let disks = disks.make(&mut |name, flash| {
        if std::mem::take(&mut first) {
            works.image(next, "next", &flash.join(&next_name))?;
        }
        reach.prepare(topology, name, flash)
    })?;
    let factory = Factory::of_disks(disks, works.choice.clone(), MEMORY_MIB);
    Ok((factory, Appliances { reach, next: format!("/flash/{next_name}") }))
}

/// The release that follows this one.
fn next_release() -> Version {
    let ours = Version::ours();
    Version { minor: ours.minor + 1, patch: 0, ..ours }
}

/// What the disks of a pair are made of.
pub struct Disks<'a> {
    /// Whose chassis they are for.
    pub topology: &'a Topology,
    /// What `srpd` reads, by chassis, but for the interfaces.
    pub configurations: &'a BTreeMap<String, String>,
    /// A signed image; its signature lies beside it.
    pub image: &'a Path,
    /// The loader that knows who signs.
    pub loader: &'a Loader,
    /// `srpctl` on this host, for `keygen`.
    pub srpctl: &'a Path,
    /// The lab's program as one that needs no library, for the machines.
    pub lab: &'a Path,
    /// Folder for all that is made.
    pub out: &'a Path,
}

impl Disks<'_> {
    /// Makes a disk for each chassis, by BIOS for the first one and by UEFI for the second. `prepare` is called with each name
    /// and the folder that becomes its `/flash`, for what else is to be there.
    pub fn make(
        &self,
        prepare: &mut dyn FnMut(&str, &Path) -> Result<(), LabError>,
    ) -> Result<BTreeMap<String, Disk>, LabError> {
        let names = self.topology.chassis();
        fs::create_dir_all(self.out).map_err(LabError::file("making", self.out))?;
        let keys = self.out.join("keys");
        Keys::make(self.srpctl, &keys, &names)?;
        let firmware = [Firmware::Bios, Firmware::Uefi].into_iter().cycle();
        names
            .iter()
            .zip(firmware)
            .map(|(name, firmware)| {
                let flash = self.out.join(name).join("flash");
                self.fill(name, &names, &keys, &flash)?;
                prepare(name, &flash)?;
                let image = self.out.join(name).join("disk.img");
                let room = octets(&flash)?.div_ceil(1 << 20) + ROOM_MIB;
                let flash_mib = u32::try_from(room).unwrap_or(u32::MAX);
                image::disk::Disk { loader: self.loader, flash: &flash, flash_mib }
                    .write(&image)
                    .map_err(|error| answer("the builder of the disk", error.to_string()))?;
                Ok(((*name).to_owned(), Disk { image, firmware, agent: format!("/flash/{AGENT}") }))
            })
            .collect()
    }

    fn text(&self, name: &str) -> Result<&str, LabError> {
        let text = self.configurations.get(name).map(String::as_str);
        text.ok_or_else(|| answer(&format!("the configuration of {name}"), "there is none".to_owned()))
    }

    /// What lies on the `/flash` of `name`.
    fn fill(&self, name: &str, names: &[&str], keys: &Path, flash: &Path) -> Result<(), LabError> {
        for folder in ["boot", "etc", "srp/keys"] {
            let folder = flash.join(folder);
            fs::create_dir_all(&folder).map_err(LabError::file("making", &folder))?;
        }
        let image = self.image.file_name().unwrap_or_default().to_string_lossy();
        copy(self.image, &flash.join(&*image))?;
        copy(&signature_of(self.image), &flash.join(signature_of(Path::new(&*image))))?;
        copy(self.lab, &flash.join(AGENT))?;
        copy(&keys.join(format!("{name}.key")), &flash.join(format!("srp/keys/{name}.key")))?;
        for chassis in names {
            let certificate = format!("{chassis}.crt");
            copy(&keys.join(&certificate), &flash.join("srp/keys").join(&certificate))?;
        }
        put(&flash.join("etc/system.conf"), system(self.topology, name).as_bytes())?;
        put(
            &flash.join(CONFIGURATION.trim_start_matches('/')),
            configuration(self.topology, name, self.text(name)?)?.as_bytes(),
        )?;
        let stack = stack(&image).map_err(|reason| answer("the boot stack", reason))?;
        put(&BootFile::path(flash), &stack)
    }
}

/// What the system of a chassis is told: its name, and the VLANs on its cards.
fn system(topology: &Topology, chassis: &str) -> String {
    let mut text = format!("hostname = {chassis}\n");
    for (own, _) in topology.ends(chassis) {
        let (card, name) = (&own.name, interface(topology, chassis, &own.name));
        if let Some(id) = topology.vlan(chassis, card) {
            // Writing to a String cannot fail.
            let _ =
                write!(text, "link = set {card} up\nlink = add link {card} name {name} type vlan id {id}\n");
        }
    }
    text
}

/// What has the addresses of a chassis' card: a VLAN on it, or the card itself.
fn interface(topology: &Topology, chassis: &str, card: &str) -> String {
    topology.vlan(chassis, card).map_or_else(|| card.to_owned(), |id| format!("{card}.{id}"))
}

/// A boot stack with one entry.
fn stack(image: &str) -> Result<Vec<u8>, String> {
    let path = |text: &str| FlashPath::new(text).map_err(|error| error.to_string());
    let stack = Stack::of_one(path(&format!("/{image}"))?, path(CONFIGURATION)?);
    let block = Block { stack, ..Block::default() };
    block.encode().map(|octets| octets.to_vec()).map_err(|error| error.to_string())
}

/// The configuration of an appliance: `text`, that of a machine, with the interfaces that `topology` gives it, and with its control
/// socket where the appliance's own scripts look for it.
pub fn configuration(topology: &Topology, chassis: &str, text: &str) -> Result<String, LabError> {
    let wrong = |reason: &str| answer(&format!("the configuration of {chassis}"), reason.to_owned());
    let socket = format!("[control]\nsocket = \"run/{chassis}.sock\"\n\n");
    let (before, behind) = text.split_once(&socket).ok_or_else(|| wrong("no table [control]"))?;
    let mut text = format!("{before}{behind}");
    let srp = topology.srp_link()?;
    let mut last = String::new();
    // Writing to a String cannot fail.
    for (own, far) in topology.ends(chassis) {
        let addresses: Vec<String> = own.addresses.iter().map(|address| format!("\"{address}\"")).collect();
        let name = interface(topology, chassis, &own.name);
        let interface = format!(
            "\n[[context.interface]]               # to {}\nname = \"{name}\"\naddresses = [{}]\n",
            far.node,
            addresses.join(", ")
        );
        if own.name == srp {
            let _ = write!(last, "\n[[context]]\nname = \"srp\"\n{interface}");
        } else {
            text.push_str(&interface);
        }
        for (number, service) in (1..).zip(topology.layer_2_services(&far.node)) {
            let bits = if service.is_ipv6() { 128 } else { 32 };
            let _ = write!(
                text,
                "\n[[context.loopback]]\nname = \"subnet-{number}\"\naddress = \"{service}/{bits}\"\ninterface = \"{name}\"\n\
                 layer-2 = true\nsrp-activate = true\n"
            );
        }
    }
    text.push_str(&last);
    Ok(text)
}

/// How many octets the files of a folder have.
fn octets(folder: &Path) -> Result<u64, LabError> {
    let mut sum = 0;
    for entry in fs::read_dir(folder).map_err(LabError::file("reading", folder))? {
        let path: PathBuf = entry.map_err(LabError::file("reading", folder))?.path();
        let metadata = fs::symlink_metadata(&path).map_err(LabError::file("reading", &path))?;
        sum += if metadata.is_dir() { octets(&path)? } else { metadata.len() };
    }
    Ok(sum)
}

fn copy(from: &Path, to: &Path) -> Result<(), LabError> {
    fs::copy(from, to).map(|_| ()).map_err(LabError::file("copying", from))
}

fn put(path: &Path, octets: &[u8]) -> Result<(), LabError> {
    fs::write(path, octets).map_err(LabError::file("writing", path))
}

fn answer(command: &str, reason: String) -> LabError {
    LabError::Answer { command: command.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive;
    use crate::node::Kind;
    use crate::pair;
    use crate::variant::LinkTimers;

    #[test]
    fn interfaces_are_called_as_the_kernel_of_a_machine_calls_them() {
        let topology = topology(Topology::pair().with_host());
        topology.check().expect("sound");
        for chassis in ["east", "west"] {
            let ends: Vec<_> =
                topology.ends(chassis).map(|(own, far)| (own.name.as_str(), far.node.as_str())).collect();
            let peer = if chassis == "east" { "west" } else { "east" };
            assert_eq!(ends, [("eth0", peer), ("eth1", "r1"), ("eth2", "r2"), ("eth3", "host")]);
        }
        assert_eq!(topology.srp_link().expect("has one"), "eth0");
        let routers = topology.links.iter().filter(|link| matches!(link.b.node.as_str(), "r1" | "r2"));
        assert!(routers.clone().all(|link| ["east", "west", "client"].contains(&link.b.name.as_str())));
    }

    #[test]
    fn a_configuration_names_the_interfaces_and_leaves_the_socket_where_scripts_look_for_it() {
        let topology = topology(Topology::pair().with_host());
        let written = pair::configuration("west", Kind::Appliance).expect("there is one");
        let derived =
            derive::configuration(&topology, "west", &LinkTimers::new("1s", "3s")).expect("derived");
        for text in [written, &derived] {
            is_of_an_appliance(&configuration(&topology, "west", text).expect("there is one"));
        }
    }

    fn is_of_an_appliance(text: &str) {
        let table: toml::Table = text.parse().expect("TOML");
        assert!(!table.contains_key("control"));
        let contexts = table["context"].as_array().expect("contexts");
        let interfaces = |at: usize| contexts[at]["interface"].as_array().expect("interfaces");
        assert_eq!(contexts[1]["name"].as_str(), Some("srp"));
        assert_eq!(interfaces(1)[0]["addresses"][0].as_str(), Some("192.0.2.2/30"));
        let names: Vec<_> = interfaces(0).iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(names, ["eth1", "eth2", "eth3"]);
        let loopbacks = contexts[0]["loopback"].as_array().expect("loopbacks");
        let on_eth3 = loopbacks
            .iter()
            .filter(|one| one.get("interface").is_some_and(|name| name.as_str() == Some("eth3")));
        let on_eth3: Vec<_> =
            on_eth3.map(|one| (one["address"].as_str(), one["layer-2"].as_bool())).collect();
        assert_eq!(
            on_eth3,
            [(Some("198.51.100.254/32"), Some(true)), (Some("2001:db8:100::fe/128"), Some(true))]
        );
    }
}
