//! The paths of one prefix. Nearly every prefix has one, and that one needs no allocation of its own.

use std::sync::Arc;

use super::PeerId;
use crate::attributes::Attributes;
use crate::decision::Why;

#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) attributes: Arc<Attributes>,
    pub(super) peer: PeerId,
    /// Why the path may not be used.
    pub(super) obstacle: Option<Why>,
}

/// At most one path per neighbor.
#[derive(Debug, Default)]
pub(super) enum Paths {
    #[default]
    None,
    One(Path),
    Many(Vec<Path>),
}

impl Paths {
    pub(super) fn as_slice(&self) -> &[Path] {
        match self {
            Self::None => &[],
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Self::None => &mut [],
            Self::One(path) => std::slice::from_mut(path),
            Self::Many(paths) => paths,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(super) fn get_mut(&mut self, peer: PeerId) -> Option<&mut Path> {
        self.as_mut_slice().iter_mut().find(|path| path.peer == peer)
    }

    /// Puts a path in, and returns the one of the same neighbor that it replaces.
    pub(super) fn insert(&mut self, path: Path) -> Option<Path> {
        if let Some(old) = self.get_mut(path.peer) {
            return Some(std::mem::replace(old, path));
        }
        *self = match std::mem::take(self) {
            Self::None => Self::One(path),
            Self::One(first) => Self::Many(vec![first, path]),
            Self::Many(mut paths) => {
                paths.push(path);
                Self::Many(paths)
            }
        };
        None
    }

    pub(super) fn remove(&mut self, peer: PeerId) -> Option<Path> {
        let at = self.as_slice().iter().position(|path| path.peer == peer)?;
        let (removed, rest) = match std::mem::take(self) {
            Self::None => return None,
            Self::One(path) => (path, Self::None),
            Self::Many(mut paths) => {
                let removed = paths.swap_remove(at);
                match (paths.pop(), paths.is_empty()) {
                    (None, _) => (removed, Self::None),
                    (Some(last), true) => (removed, Self::One(last)),
                    (Some(last), false) => {
                        paths.push(last);
                        (removed, Self::Many(paths))
                    }
                }
            }
        };
        *self = rest;
        Some(removed)
    }
}
