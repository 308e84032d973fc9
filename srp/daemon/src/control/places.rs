//! Places for clients of the control socket: who has one, and who gives way when all are taken.
//!
//! What always holds:
//! - At most so many clients have a place.
//! - A client whose request is being answered keeps its place. One that srpd waits for (for its request, or to read its
//!   answer) gives way to a new one when all places are taken: the one that is waited for longest.
//! - So clients that hang keep nobody waiting, and only as many as there are places can keep srpd at work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// A number of places.
#[derive(Debug)]
pub struct Places {
    most: usize,
    clients: Mutex<Clients>,
    /// A place has become free, or a client one that gives way.
    news: Notify,
}

#[derive(Debug, Default)]
struct Clients {
    next: u64,
    seated: BTreeMap<u64, Client>,
}

#[derive(Debug)]
struct Client {
    /// When srpd began to wait for it, as a number that counts up; `None` while srpd works for it.
    waited_for: Option<u64>,
    told_to_go: Arc<Notify>,
}

/// A client's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    id: u64,
    told_to_go: Arc<Notify>,
}

impl Places {
    /// So many places.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, clients: Mutex::default(), news: Notify::new() })
    }

    /// A place for one more client, which is waited for. Waits while srpd works for as many as there are places.
    /// For one caller at a time.
    pub async fn enter(self: &Arc<Self>) -> Place {
        loop {
            if let Some(place) = self.try_enter() {
                return place;
            }
            // News since the look above are kept for us.
            self.news.notified().await;
        }
    }

    fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let told_to_go = Arc::new(Notify::new());
        let id = self.lock().enter(self.most, &told_to_go)?;
        Some(Place { places: Arc::clone(self), id, told_to_go })
    }

    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Its request is there. False if the place has been given to another one.
    #[must_use]
    pub fn work(&self) -> bool {
        self.places.lock().set(self.id, false)
    }

    /// From now on it is waited for.
    pub fn wait(&self) {
        self.places.lock().set(self.id, true);
        self.places.news.notify_one();
    }

    /// Returns when another one has got the place.
    pub async fn given_away(&self) {
        self.told_to_go.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().seated.remove(&self.id);
        self.places.news.notify_one();
    }
}

impl Clients {
    /// The number of a new client; `None` while all places are taken by clients that srpd works for.
    fn enter(&mut self, most: usize, told_to_go: &Arc<Notify>) -> Option<u64> {
        if self.seated.len() >= most {
            let waited_for = |(id, client): (&u64, &Client)| Some((client.waited_for?, *id));
            let (_, longest) = self.seated.iter().filter_map(waited_for).min()?;
            if let Some(client) = self.seated.remove(&longest) {
                client.told_to_go.notify_one();
            }
        }
        let id = self.tick();
        let client = Client { waited_for: Some(id), told_to_go: Arc::clone(told_to_go) };
        self.seated.insert(id, client);
        Some(id)
    }

    fn set(&mut self, id: u64, waits: bool) -> bool {
        let now = self.tick();
        let Some(client) = self.seated.get_mut(&id) else { return false };
        client.waited_for = waits.then_some(now);
        true
    }

    fn tick(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_is_waited_for_longest_gives_way_and_none_that_is_worked_for() {
        let places = Places::new(3);
        let enter = || places.try_enter().expect("a place");
        let (worked_for, old, new) = (enter(), enter(), enter());
        assert!(worked_for.work());
        // It has been answered once and is waited for again: since later than the other one.
        assert!(old.work());
        old.wait();
        let fourth = enter();
        assert!(!new.work(), "its place is gone");
        assert!(old.work() && fourth.work() && worked_for.work());
        assert!(places.try_enter().is_none(), "all are worked for");
        drop(fourth);
        let fifth = enter();
        assert_eq!(places.lock().seated.len(), 3);
        drop((worked_for, old, new, fifth));
        assert!(places.lock().seated.is_empty());
    }

    #[tokio::test]
    async fn who_waits_for_a_place_gets_the_first_that_is_free_or_gives_way() {
        let places = Places::new(1);
        let first = places.enter().await;
        assert!(first.work());
        let waiting = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.enter().await }
        });
        first.wait();
        let second = waiting.await.expect("it got a place");
        first.given_away().await;
        assert!(!first.work() && second.work());
        drop(first);
        assert_eq!(places.lock().seated.len(), 1, "one that gave way frees no place a second time");
        drop(second);
        assert!(places.enter().await.work());
    }
}
