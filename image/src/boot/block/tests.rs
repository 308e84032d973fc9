use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn path() -> impl Strategy<Value = FlashPath> {
    "(/[a-zA-Z0-9_+~@,-][a-zA-Z0-9._+~@,-]{0,30}){1,3}".prop_map(|path| FlashPath::new(path).unwrap())
}

fn why() -> impl Strategy<Value = Option<Why>> {
    prop_oneof![
        Just(None),
        Just(Some(Why::Missing)),
        Just(Some(Why::Signature)),
        Just(Some(Why::Root)),
        Just(Some(Why::Configuration)),
        // Spaces and escapes as well: a value is anything.
        "[a-z\\\\\n =#]{1,12}".prop_map(|word| Why::of(&word)),
    ]
}

pub(crate) fn stack() -> impl Strategy<Value = Stack> {
    let entry = (path(), path(), 0..=3_u8, any::<bool>(), why());
    btree_map(1..=100_u8, entry, 0..=Stack::MOST).prop_map(|entries| {
        let mut stack = Stack::new();
        for (priority, (image, config, tries, good, why)) in entries {
            let priority = Priority::new(priority).unwrap();
            let tries = Tries::new(tries).unwrap();
            stack.insert(Entry { priority, image, config, tries, good, why }).unwrap();
        }
        stack
    })
}

fn block() -> impl Strategy<Value = Block> {
    let others = btree_map("[a-r][a-z_]{0,8}", "[ -~\n]{0,16}", 0..4);
    (stack(), others).prop_map(|(stack, others)| Block { stack, others })
}

proptest! {
    #[test]
    fn decode_undoes_encode(block in block()) {
        prop_assert_eq!(Block::decode(&block.encode().unwrap()), Ok(block));
    }

    #[test]
    fn lines_may_come_in_any_order_and_between_comments(block in block(), seed in any::<u64>()) {
        let octets = block.encode().unwrap();
        let mut rest = &octets[HEADER.len()..];
        let mut lines = Vec::new();
        while rest.first().is_some_and(|octet| *octet != b'#') {
            let before = rest;
            take_line(&mut rest);
            lines.push(&before[..before.len() - rest.len()]);
        }
        let count = lines.len().max(1);
        lines.rotate_left(usize::try_from(seed % 1000).unwrap() % count);
        let mut written = [HEADER, b"# a comment\n", &lines.concat()].concat();
        written.resize(Block::SIZE, b'#');
        prop_assert_eq!(Block::decode(&written), Ok(block));
    }

    #[test]
    fn any_octets_are_decoded_or_refused(octets in vec(any::<u8>(), 0..200)) {
        let _ = Block::decode(&octets);
    }

    #[test]
    fn what_is_salvaged_is_sound_whatever_was_there(block in block(), at in 0..Block::SIZE, damage in vec(any::<u8>(), 1..60)) {
        let mut octets = block.encode().unwrap();
        let end = (at + damage.len()).min(Block::SIZE);
        octets[at..end].copy_from_slice(&damage[..end - at]);
        let (saved, faults) = Block::salvage(&octets);
        let written = saved.encode();
        prop_assume!(written.is_ok()); // others may have grown beyond the room
        prop_assert_eq!(Block::decode(&written.unwrap()), Ok(saved.clone()));
        if faults.is_empty() {
            prop_assert_eq!(Block::decode(&octets), Ok(saved));
        }
    }
}

#[test]
fn ten_entries_with_the_longest_paths_leave_room_for_others() {
    let path = FlashPath::new(format!("/{}", "x".repeat(FlashPath::LONGEST - 1))).unwrap();
    let mut stack = Stack::new();
    for priority in 91..=100 {
        let priority = Priority::new(priority).unwrap();
        stack.put(priority, path.clone(), path.clone()).unwrap();
        stack.mark_bad(priority, Why::Signature).unwrap();
    }
    let others = BTreeMap::from([("other".to_owned(), "y".repeat(700))]);
    let block = Block { stack, others };
    assert_eq!(Block::decode(&block.encode().unwrap()), Ok(block.clone()));
    let others = BTreeMap::from([("other".to_owned(), "y".repeat(1000))]);
    let refused = Block { others, ..block }.encode().unwrap_err();
    assert!(matches!(refused, BlockError::Room { .. }), "{refused}");
}

/// A whole block out of lines.
fn lines(lines: &str) -> Vec<u8> {
    let mut octets = [HEADER, lines.as_bytes()].concat();
    octets.resize(Block::SIZE, b'#');
    octets
}

const ONE: &str = "s1_prio=9\ns1_img=/a.bin\ns1_cfg=/a.toml\ns1_tries=3\ns1_ok=0\n";

#[test]
fn each_fault_is_named_and_costs_only_what_it_is_in() {
    let second = ONE.replace("s1_", "s2_").replace("=9", "=10");
    let cases = [
        (lines(&ONE.replace("tries=3", "tries=4")), "s1_tries is \"4\": 0 to 3 is wanted", 0),
        (lines(&ONE.replace("s1_ok=0\n", "")), "s1_ok is \"\": 0 or 1 is wanted", 0),
        (lines(&ONE.replace("=9", "=0")), "s1_prio is \"0\": 1 to 100 is wanted", 0),
        (lines(&ONE.replace("/a.bin", "/../a")), "s1_img: \"/../a\" is not a plain absolute path", 0),
        (lines(&format!("{ONE}x\n")), "line 7 is not NAME=VALUE: \"x\"", 1),
        (lines(&format!("{ONE}x\\\ny=z\n")), "line 7 is not NAME=VALUE: \"x\\ny=z\"", 1),
        (lines(&format!("{ONE}x\\\\y=z\n")), "line 7 is not NAME=VALUE: \"x\\\\y=z\"", 1),
        (lines(&format!("{ONE}s1_ok=1\n")), "s1_ok is there twice, \"0\" and \"1\"", 1),
        (lines(&second), "slot 2 is used and slot 1 is not", 1),
        (
            lines(&format!("{ONE}{}", second.replace("=10", "=8"))),
            "slot 2 has priority 8, not above that of the slot before",
            2,
        ),
        (lines(&format!("{ONE}x=")), "line 7 goes on to the end of the file", 1),
        (lines(ONE)[..1024].to_vec(), "it has 1024 octets instead of 4096", 1),
        (lines(ONE).into_iter().skip(25).chain([b'#'; 25]).collect(), "it does not begin with", 1),
        (vec![0; Block::SIZE], "it does not begin with", 0),
    ];
    for (octets, expected, kept) in cases {
        let error = Block::decode(&octets).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        assert_eq!(Block::salvage(&octets).0.stack.entries().len(), kept, "{expected}");
    }
}

#[test]
fn unknown_words_of_a_newer_loader_are_kept_and_unknown_fields_of_slots_are_not() {
    let octets = lines(&format!("{ONE}s1_why=thermal\ns1_off=7\nbooted=1\n"));
    let block = Block::decode(&octets).unwrap();
    assert_eq!(block.stack.entries()[0].why, Some(Why::Other("thermal".into())));
    assert_eq!(block.others, BTreeMap::from([("booted".to_owned(), "1".to_owned())]));
}
