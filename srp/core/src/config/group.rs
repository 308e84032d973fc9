//! `[[context.bgp.group]]`: keys that several neighbours have in common.
//!
//! A neighbour that names a group takes each key that it does not have itself from there, so what it comes to is known
//! when the file is read, and nothing behind this module knows of groups: a reload compares neighbours, and one whose
//! keys stay the same is not touched.

use super::bgp::{Instance, read_session};
use super::instance_fault::InstanceFault;
use super::kind::Name;
use super::reader::{Behind, Found, Reported, Section};

/// Where the reference page has the keys of a neighbour.
pub(super) const NEIGHBOR: &str = "context.bgp.neighbor";

/// Keys of a group, or of one neighbour, that others cannot take from it.
const OWN: &[&str] = &["name", "address", "interface", "group", "prefix", "limit", "alternate-as"];

/// Keys that several neighbours have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupConfig {
    /// Unique name within the instance.
    pub name: String,
}

/// The groups of an instance.
pub(super) struct Groups<'r, 'd> {
    /// What the configuration keeps of them.
    pub configs: Result<Vec<GroupConfig>, Reported>,
    tables: Vec<(String, Behind<'r, 'd>)>,
    /// Not every group could be read: a name that is missing here may be in the file.
    is_unread: bool,
}

/// Reads the groups of an instance.
pub(super) fn read<'r, 'd>(s: &Section<'r, 'd>, instance: &Instance) -> Groups<'r, 'd> {
    let sections = match s.tables("group", "name") {
        Ok(sections) => sections,
        Err(reported) => return Groups { configs: Err(reported), tables: Vec::new(), is_unread: true },
    };
    let mut groups = Groups { configs: Ok(Vec::new()), tables: Vec::new(), is_unread: false };
    let mut names = Vec::new();
    let mut configs = Vec::new();
    for section in sections {
        let behind = section.behind(OWN);
        let name = section.read(|group| read_group(group, instance));
        match &name {
            Ok(name) => {
                groups.tables.push((name.value.clone(), behind));
                names.push(name.clone());
            }
            Err(_) => groups.is_unread = true,
        }
        configs.push(name.map(|name| GroupConfig { name: name.value }));
    }
    super::across::report_twice(s, "name", &names);
    groups.configs = configs.into_iter().collect();
    groups
}

fn read_group(s: &Section<'_, '_>, instance: &Instance) -> Result<Found<String>, Reported> {
    let name = s.required("name", &Name)?;
    for key in ["address", "interface", "group"] {
        if let Some(at) = s.own_place(key) {
            s.report(&at, InstanceFault::NamedOnly { why: "each of its neighbours has its own" }.into());
        }
    }
    // The faults of its values are found here, whether a neighbour has them or not; what needs an address is not looked at.
    let nobody = Err(Reported::already());
    let mut nothing = Vec::new();
    let _of_nobody = s.read_like(NEIGHBOR, true, |s| {
        read_session(s, &nobody, &Ok(None), instance, false, Some(&mut nothing))
    });
    Ok(name)
}

impl<'r, 'd> Groups<'r, 'd> {
    /// A neighbour with its group behind it.
    pub fn give(&self, neighbor: Section<'r, 'd>) -> Section<'r, 'd> {
        let group = neighbor.peek("group");
        let behind = self.tables.iter().find(|(name, _)| Some(name.as_str()) == group);
        neighbor.over(behind.map(|(_, behind)| behind.clone()))
    }

    /// The group of a neighbour, which has to be one.
    pub fn name(&self, s: &Section<'_, '_>) -> Result<Option<String>, Reported> {
        let Some(group) = s.optional("group", &Name)? else { return Ok(None) };
        if self.is_unread || self.tables.iter().any(|(name, _)| *name == group.value) {
            return Ok(Some(group.value));
        }
        let known = self.tables.iter().map(|(name, _)| name.clone()).collect();
        Err(s.report(&group.at, InstanceFault::UnknownGroup { known }.into()))
    }
}
