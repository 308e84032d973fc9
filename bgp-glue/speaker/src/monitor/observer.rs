//! The end at the table: it knows the sessions that are up, and tells everyone who looks on what the table is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};

use bgp_proto::attributes::Attributes;
use bgp_proto::prefix::Prefix;
use bgp_proto::rib::{PeerId, Rib};
use bgp_proto::session::DownReason;
use bgp_proto::types::{Families, Family, PeerKind};
use bgp_proto::wire::header::{MAX_EXTENDED_MESSAGE_LEN, MAX_MESSAGE_LEN};
use bgp_proto::wire::pack::{Encoding, Template, push_end_of_rib, push_withdrawal_of};
use bgp_proto::wire::update::{AsWidth, Disposition, Update};

use super::{Begin, Seen, SessionSeen, Status, Watch, wall_time};

/// As an internal neighbor that knows four octets would be told, so that no attribute is left out.
const ENCODING: Encoding = Encoding::new(AsWidth::Four, PeerKind::Internal);

/// Octets of UPDATE messages that are told at once.
const AT_ONCE: usize = 64 * 1024;

#[derive(Default)]
pub(crate) struct Observer {
    sessions: BTreeMap<PeerId, Up>,
    sinks: Vec<Sink>,
}

struct Up {
    seen: Arc<SessionSeen>,
    /// Of which families it has told everything.
    ended: Families,
}

struct Sink {
    id: u64,
    sender: SyncSender<Seen>,
    /// Where lost records are counted; `None`: a full queue ends it.
    patient: Option<Status>,
}

impl Sink {
    /// Whether it stays.
    fn tell(&self, seen: &Seen) -> bool {
        match (self.sender.try_send(seen.clone()), &self.patient) {
            (Ok(()), _) => true,
            (Err(TrySendError::Full(_)), Some(status)) => {
                status.change(|summary| summary.lost += 1);
                true
            }
            (Err(TrySendError::Full(_)), None) | (Err(TrySendError::Disconnected(_)), _) => false,
        }
    }
}

impl Observer {
    pub(crate) fn up(&mut self, id: PeerId, seen: Arc<SessionSeen>) {
        self.tell(&Seen::Up(Arc::clone(&seen)));
        self.sessions.insert(id, Up { seen, ended: Families::NONE });
    }

    pub(crate) fn down(&mut self, id: PeerId, reason: &DownReason) {
        if let Some(up) = self.sessions.remove(&id) {
            self.tell(&Seen::Down(up.seen, reason.clone(), wall_time()));
        }
    }

    pub(crate) fn end_of_rib(&mut self, id: PeerId, family: Family) {
        let Some(up) = self.sessions.get_mut(&id) else { return };
        up.ended.insert(family);
        let mut octets = Vec::new();
        push_end_of_rib(family, &mut octets);
        let seen = Seen::Updates(Arc::clone(&up.seen), family, octets.into(), wall_time());
        self.tell(&seen);
    }

    pub(crate) fn update(&mut self, id: PeerId, update: &Update) {
        let Some(up) = self.sessions.get(&id) else { return };
        let withdrawn =
            |fault: &bgp_proto::wire::update::Fault| fault.disposition == Disposition::TreatAsWithdraw;
        if update.faults.iter().any(withdrawn) {
            up.seen.counts.treated_as_withdraw.fetch_add(1, Ordering::Relaxed);
        }
        if self.sinks.is_empty() {
            return;
        }
        let session = Arc::clone(&up.seen);
        for family in Family::ALL {
            let mut octets = Vec::new();
            let withdrawn = by_path(update.withdrawn_ids.with(&update.withdrawn), family);
            for (path_id, prefixes) in &withdrawn {
                push_withdrawn(family, prefixes, session.path_id(family, *path_id), &mut octets);
            }
            for group in &update.announced {
                for (path_id, prefixes) in &by_path(group.path_ids.with(&group.prefixes), family) {
                    let path_id = session.path_id(family, *path_id);
                    push_routes(&group.attributes, family, prefixes, path_id, &mut octets);
                }
            }
            if !octets.is_empty() {
                self.tell(&Seen::Updates(Arc::clone(&session), family, octets.into(), wall_time()));
            }
        }
    }

    pub(crate) fn watch(&mut self, watch: Watch, rib: &Rib) {
        let Watch { id, sink, begin } = watch;
        let patient = match begin {
            Begin::Empty(status) => Some(status),
            Begin::Table(table) => {
                // Whoever asked may be gone again, as the sink will tell.
                let _ = table.send(self.table(rib));
                None
            }
        };
        self.sinks.push(Sink { id, sender: sink, patient });
    }

    pub(crate) fn unwatch(&mut self, id: u64) {
        self.sinks.retain(|sink| sink.id != id);
    }

    /// The sessions that are up.
    pub(crate) fn session(&self, id: PeerId) -> Option<&SessionSeen> {
        self.sessions.get(&id).map(|up| &*up.seen)
    }

    fn tell(&mut self, seen: &Seen) {
        self.sinks.retain(|sink| sink.tell(seen));
    }

    /// Everything that there is, as if it had just been told.
    fn table(&self, rib: &Rib) -> Vec<Seen> {
        // Equal attributes are one value in the table, which its address stands for.
        type Groups = HashMap<(usize, u32), (Arc<Attributes>, Vec<Prefix>)>;
        let mut groups: BTreeMap<(PeerId, Family), Groups> = BTreeMap::new();
        rib.visit(|prefix, peer, path_id, attributes| {
            let group = groups.entry((peer, prefix.family())).or_default();
            let group = group.entry((Arc::as_ptr(attributes).addr(), path_id));
            group.or_insert_with(|| (Arc::clone(attributes), Vec::new())).1.push(prefix);
        });
        let now = wall_time();
        let mut all = Vec::new();
        for (id, up) in &self.sessions {
            all.push(Seen::Up(Arc::clone(&up.seen)));
            for family in Family::ALL {
                let mut octets = Vec::new();
                let mut tell = |octets: &mut Vec<u8>| {
                    let octets = std::mem::take(octets);
                    all.push(Seen::Updates(Arc::clone(&up.seen), family, octets.into(), now));
                };
                for ((_, path_id), (attributes, prefixes)) in
                    groups.remove(&(*id, family)).unwrap_or_default()
                {
                    let path_id = up.seen.path_id(family, path_id);
                    push_routes(&attributes, family, &prefixes, path_id, &mut octets);
                    if octets.len() > AT_ONCE {
                        tell(&mut octets);
                    }
                }
                if up.ended.contains(family) {
                    push_end_of_rib(family, &mut octets);
                }
                tell(&mut octets);
            }
        }
        all
    }
}

impl SessionSeen {
    /// What stands in front of a prefix of the family.
    fn path_id(&self, family: Family, path_id: u32) -> Option<u32> {
        self.add_path.contains(family).then_some(path_id)
    }
}

/// The prefixes of a family, those of one path identifier together.
fn by_path(prefixes: impl Iterator<Item = (Prefix, u32)>, family: Family) -> BTreeMap<u32, Vec<Prefix>> {
    let mut groups: BTreeMap<u32, Vec<Prefix>> = BTreeMap::new();
    for (prefix, path_id) in prefixes.filter(|(prefix, _)| prefix.family() == family) {
        groups.entry(path_id).or_default().push(prefix);
    }
    groups
}

fn push_withdrawn(family: Family, prefixes: &[Prefix], path_id: Option<u32>, out: &mut Vec<u8>) {
    let mut rest = prefixes;
    while !rest.is_empty() {
        let taken = push_withdrawal_of(family, rest, path_id, MAX_MESSAGE_LEN, out);
        rest = &rest[taken.max(1)..];
    }
}

/// Appends the routes, in as few messages as they take.
fn push_routes(
    attributes: &Attributes,
    family: Family,
    prefixes: &[Prefix],
    path_id: Option<u32>,
    out: &mut Vec<u8>,
) {
    let Some(template) = Template::new(attributes, family, ENCODING) else { return };
    let template = template.of_path(path_id);
    let mut rest = prefixes;
    while !rest.is_empty() {
        let mut taken = template.push_update(rest, MAX_MESSAGE_LEN, out);
        if taken == 0 {
            taken = template.push_update(rest, MAX_EXTENDED_MESSAGE_LEN, out);
        }
        // Attributes that came in one message go into one with a prefix less; four octets may cost a few more.
        rest = &rest[taken.max(1)..];
    }
}
