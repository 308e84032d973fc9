//! What became of the entries of the boot stack at the last boot.

use super::{Entry, Stack, Why};
use crate::booted::Booted;

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It runs.
    Booted,
    /// The loader passed over it, or it gave itself up.
    PassedOver(Why),
    /// Its turn did not come.
    Waiting,
}

/// What became of each entry, in their order.
pub fn fates(stack: &Stack, booted: &Booted) -> Vec<Fate> {
    let running = booted.entry(stack);
    let fate = |entry: &Entry| match &entry.why {
        _ if running == Some(entry) => Fate::Booted,
        Some(why) => Fate::PassedOver(why.clone()),
        None if !entry.will_be_tried() => Fate::PassedOver(Why::Tries),
        None => Fate::Waiting,
    };
    stack.entries().iter().map(fate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::{FlashPath, Priority, Tries};

    #[test]
    fn each_entry_has_its_fate_also_after_others_were_entered() {
        let path = |name: &str| FlashPath::new(name).unwrap();
        let priority = |number: u8| Priority::new(number).unwrap();
        let mut stack = Stack::new();
        for number in [9, 10, 11, 12] {
            let name = path(&format!("/{number}"));
            stack.put(priority(number), name.clone(), name).unwrap();
        }
        stack.mark_bad(priority(9), Why::Signature).unwrap();
        for _ in 0..Tries::ALL.number() {
            stack.take_try(priority(10)).unwrap();
        }
        let booted = Booted::read("srp.slot=3 srp.image=/11 srp.config=/11");
        stack.put_first(path("/new"), path("/new")).unwrap();
        let expected = [
            Fate::Waiting,
            Fate::PassedOver(Why::Signature),
            Fate::PassedOver(Why::Tries),
            Fate::Booted,
            Fate::Waiting,
        ];
        assert_eq!(fates(&stack, &booted), expected);
        assert!(!fates(&stack, &Booted::default()).contains(&Fate::Booted));
    }
}
