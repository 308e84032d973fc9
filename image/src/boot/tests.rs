use proptest::prelude::*;

use super::block::tests::stack;
use super::*;

fn path(name: &str) -> FlashPath {
    FlashPath::new(format!("/{name}")).unwrap()
}

fn priority(number: u8) -> Priority {
    Priority::new(number).unwrap()
}

/// A stack of these priorities; the images say where each was entered.
fn with(priorities: &[u8]) -> Stack {
    let mut stack = Stack::new();
    for number in priorities {
        stack.put(priority(*number), path(&format!("{number}.bin")), path("c.toml")).unwrap();
    }
    stack
}

fn numbers(stack: &Stack) -> Vec<u8> {
    stack.entries().iter().map(|entry| entry.priority.number()).collect()
}

fn images(stack: &Stack) -> Vec<&str> {
    stack.entries().iter().map(|entry| entry.image.as_str()).collect()
}

#[test]
fn img_3_an_entry_is_image_configuration_and_priority_and_the_lowest_comes_first() {
    let mut stack = with(&[30, 10, 20]);
    assert_eq!(images(&stack), ["/10.bin", "/20.bin", "/30.bin"]);
    assert_eq!(stack.next_boot().unwrap().image.as_str(), "/10.bin");

    let replaced = stack.put(priority(20), path("new.bin"), path("new.toml")).unwrap().unwrap();
    assert_eq!(replaced.image.as_str(), "/20.bin");
    let entry = stack.entry(priority(20)).unwrap();
    assert_eq!((entry.config.as_str(), entry.tries, entry.good), ("/new.toml", Tries::ALL, false));

    assert_eq!(stack.remove(priority(10)).unwrap().image.as_str(), "/10.bin");
    assert_eq!(numbers(&stack), [20, 30]);
    assert_eq!(
        stack.remove(priority(7)).unwrap_err().to_string(),
        "no boot entry has priority 7: there are 20, 30"
    );
}

#[test]
fn img_3_the_eleventh_entry_is_refused_and_the_one_to_delete_is_named() {
    let mut stack = with(&[11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    let full = "the boot stack is full (10 entries): delete one first, such as the last with `no boot system priority 20`";
    let before = stack.clone();
    assert_eq!(stack.put(priority(9), path("a"), path("c")).unwrap_err().to_string(), full);
    assert_eq!(stack.put_first(path("a"), path("c")).unwrap_err().to_string(), full);
    assert_eq!(stack, before);
    assert!(stack.put(priority(11), path("a"), path("c")).is_ok(), "replacing needs no room");
}

#[test]
fn img_4_a_new_entry_is_one_below_the_first_and_others_are_numbered_anew_when_1_is_taken() {
    let mut stack = with(&[3, 50]);
    let numbers_of_five: Vec<_> =
        (0..5).map(|n| stack.put_first(path(&format!("n{n}")), path("c")).unwrap().number()).collect();
    assert_eq!(numbers_of_five, [2, 1, 9, 8, 7]);
    assert_eq!(numbers(&stack), [7, 8, 9, 10, 20, 30, 40]);
    assert_eq!(images(&stack), ["/n4", "/n3", "/n2", "/n1", "/n0", "/3.bin", "/50.bin"]);
    let mut empty = Stack::new();
    assert_eq!(empty.put_first(path("a"), path("c")).unwrap(), priority(10));
}

#[test]
fn the_only_entry_stays() {
    let mut stack = with(&[5]);
    assert!(stack.remove(priority(5)).unwrap_err().to_string().contains("only boot entry"));
    assert_eq!(numbers(&stack), [5]);
}

#[test]
fn three_boots_that_nobody_finds_good_lead_to_the_next_entry() {
    let mut stack = with(&[9, 10]);
    stack.mark_good(priority(10)).unwrap();
    for left in [2, 1, 0] {
        let next = stack.next_boot().unwrap().priority;
        assert_eq!(next, priority(9));
        stack.take_try(next).unwrap();
        assert_eq!(stack.entry(next).unwrap().tries.number(), left);
    }
    assert_eq!(stack.next_boot().unwrap().priority, priority(10));
    for _ in 0..5 {
        stack.take_try(priority(10)).unwrap();
    }
    assert_eq!(stack.next_boot().unwrap().priority, priority(10), "what is good is not counted");
    stack.mark_bad(priority(10), Why::Root).unwrap();
    assert_eq!(stack.next_boot(), None);
}

#[test]
fn good_clears_what_was_said_before_and_bad_keeps_it() {
    let mut stack = with(&[9]);
    stack.mark_bad(priority(9), Why::Signature).unwrap();
    assert_eq!(stack.entries()[0].why, Some(Why::Signature));
    assert!(!stack.entries()[0].will_be_tried());
    stack.mark_good(priority(9)).unwrap();
    assert_eq!((stack.entries()[0].tries, stack.entries()[0].why.clone()), (Tries::ALL, None));
}

#[test]
fn numbers_outside_their_range_are_none() {
    assert_eq!((Priority::new(0), Priority::new(101), Tries::new(4)), (None, None, None));
    assert_eq!(Priority::new(100), Some(Priority::LAST));
}

#[derive(Clone, Debug)]
enum Change {
    Put(u8, String),
    First(String),
    Remove(u8),
    Good(u8),
    Bad(u8),
    Try(u8),
    Renumber,
}

fn change() -> impl Strategy<Value = Change> {
    let name = || "[a-z]{1,8}";
    prop_oneof![
        (1..=100_u8, name()).prop_map(|(number, name)| Change::Put(number, name)),
        name().prop_map(Change::First),
        (1..=100_u8).prop_map(Change::Remove),
        (0..10_u8).prop_map(Change::Good),
        (0..10_u8).prop_map(Change::Bad),
        (0..10_u8).prop_map(Change::Try),
        Just(Change::Renumber),
    ]
}

proptest! {
    #[test]
    fn whatever_is_done_a_stack_stays_one_and_keeps_the_order_of_what_it_had(
        mut stack in stack(), changes in proptest::collection::vec(change(), 0..30)
    ) {
        for change in changes {
            let before = stack.clone();
            let at = |index: u8| before.entries().get(usize::from(index)).map_or(priority(1), |entry| entry.priority);
            let refused = match change {
                Change::Put(number, name) => stack.put(priority(number), path(&name), path("c")).is_err(),
                Change::First(name) => {
                    let result = stack.put_first(path(&name), path("c"));
                    if let Ok(first) = result {
                        prop_assert_eq!(stack.entries()[0].priority, first);
                        let old: Vec<_> = before.entries().iter().map(|entry| &entry.image).collect();
                        let new: Vec<_> = stack.entries()[1..].iter().map(|entry| &entry.image).collect();
                        prop_assert_eq!(old, new);
                    }
                    result.is_err()
                }
                Change::Remove(number) => stack.remove(priority(number)).is_err(),
                Change::Good(index) => stack.mark_good(at(index)).is_err(),
                Change::Bad(index) => stack.mark_bad(at(index), Why::Kernel).is_err(),
                Change::Try(index) => stack.take_try(at(index)).is_err(),
                Change::Renumber => {
                    stack.renumber();
                    prop_assert_eq!(images(&stack), images(&before));
                    false
                }
            };
            if refused {
                prop_assert_eq!(&stack, &before);
            }
            prop_assert!(stack.entries().len() <= Stack::MOST);
            prop_assert!(stack.entries().is_sorted_by(|a, b| a.priority < b.priority));
            let block = Block { stack: stack.clone(), ..Block::default() };
            prop_assert_eq!(Block::decode(&block.encode().unwrap()), Ok(block));
        }
    }
}
