//! The paths of one prefix. Nearly every prefix has one, and that one needs no allocation of its own.

use std::sync::Arc;

use super::PeerId;
use crate::attributes::Attributes;
use crate::decision::Obstacle;

/// Whether a neighbor still stands by a path (RFC 4724 section 4.2, RFC 9494 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Staleness {
    /// It does.
    Fresh,
    /// It has restarted and not told the path again yet.
    Stale,
    /// It has been away for longer than its restart time; the path serves only for want of a better one.
    LongLived,
}

#[derive(Clone, Debug)]
pub(super) struct Path {
    /// The attributes as they came.
    pub(super) received: Arc<Attributes>,
    /// The attributes as they are used; the same value unless policy changes something.
    pub(super) used: Arc<Attributes>,
    pub(super) peer: PeerId,
    /// Tells apart the paths of one neighbor (RFC 7911).
    pub(super) id: u32,
    /// What it costs to reach the next hop.
    pub(super) cost: u32,
    /// Why the path may not be used.
    pub(super) obstacle: Option<Obstacle>,
    pub(super) staleness: Staleness,
}

impl Path {
    const fn is(&self, peer: PeerId, id: u32) -> bool {
        self.peer.0 == peer.0 && self.id == id
    }
}

/// At most one path per neighbor and path identifier.
#[derive(Debug, Default)]
pub(super) enum Paths {
    #[default]
    None,
    One(Path),
    Many(Box<Many>),
}

/// Boxed as a whole, so that the common case decides how large [`Paths`] is.
#[derive(Debug)]
pub(super) struct Many(Vec<Path>);

impl Paths {
    pub(super) fn as_slice(&self) -> &[Path] {
        match self {
            Self::None => &[],
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => &paths.0,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Self::None => &mut [],
            Self::One(path) => std::slice::from_mut(path),
            Self::Many(paths) => &mut paths.0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Puts a path in, and returns the one of the same neighbor that it replaces.
    pub(super) fn insert(&mut self, path: Path) -> Option<Path> {
        let same = |old: &&mut Path| old.is(path.peer, path.id);
        if let Some(old) = self.as_mut_slice().iter_mut().find(same) {
            return Some(std::mem::replace(old, path));
        }
        *self = match std::mem::take(self) {
            Self::None => Self::One(path),
            Self::One(first) => Self::Many(Box::new(Many(vec![first, path]))),
            Self::Many(mut paths) => {
                paths.0.push(path);
                Self::Many(paths)
            }
        };
        None
    }

    pub(super) fn holds(&self, peer: PeerId, id: u32) -> bool {
        self.as_slice().iter().any(|path| path.is(peer, id))
    }

    pub(super) fn remove(&mut self, peer: PeerId, id: u32) -> Option<Path> {
        self.extract(|path| path.is(peer, id)).pop()
    }

    /// Takes out the paths that the function names.
    pub(super) fn extract(&mut self, mut which: impl FnMut(&Path) -> bool) -> Vec<Path> {
        if !self.as_slice().iter().any(&mut which) {
            return Vec::new();
        }
        let (removed, rest) = match std::mem::take(self) {
            Self::None => (Vec::new(), Vec::new()),
            Self::One(path) => (vec![path], Vec::new()),
            Self::Many(paths) => paths.0.into_iter().partition(which),
        };
        *self = rest.into();
        removed
    }
}

impl From<Vec<Path>> for Paths {
    fn from(mut paths: Vec<Path>) -> Self {
        match (paths.pop(), paths.is_empty()) {
            (None, _) => Self::None,
            (Some(only), true) => Self::One(only),
            (Some(last), false) => {
                paths.push(last);
                Self::Many(Box::new(Many(paths)))
            }
        }
    }
}
