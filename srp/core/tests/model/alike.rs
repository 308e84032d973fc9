//! Is it true that states with one key do the same? Asked of states that the search takes for one.

use std::collections::HashMap;

use super::world::World;

/// Of the states that follow from `root`, keeps one in `sample` whole; whenever another state has the key of one that is
/// kept, compares what can happen in both, and what comes of it. Returns the number of pairs that were compared and
/// differed in their clocks or counters.
pub fn compare(root: &World, sample: u64) -> Result<u64, String> {
    let mut known = HashMap::new();
    let mut open = vec![root.clone()];
    let mut pairs = 0;
    while let Some(world) = open.pop() {
        for (_, after) in follow(&world) {
            let key = after.key();
            match known.get(&key) {
                None => {
                    known.insert(key, key.is_multiple_of(sample).then(|| after.clone()));
                    open.push(after);
                }
                Some(None) => {}
                Some(Some(first)) if first.now == after.now && first.lives == after.lives => {}
                Some(Some(first)) => {
                    pairs += 1;
                    same(first, &after)?;
                }
            }
        }
    }
    Ok(pairs)
}

fn follow(world: &World) -> Vec<(String, World)> {
    let mut acts = Vec::new();
    world.acts(&mut acts);
    let after = |act| {
        let mut after = world.clone();
        after.happen(act);
        (format!("{act:?}"), after)
    };
    acts.into_iter().map(after).collect()
}

fn same(a: &World, b: &World) -> Result<(), String> {
    let outcome = |world: &World| -> Vec<(String, u64, Option<String>)> {
        let after = follow(world).into_iter();
        after.map(|(act, after)| (act, after.key(), after.check.broken)).collect()
    };
    if outcome(a) == outcome(b) {
        return Ok(());
    }
    Err(format!("one key, two futures:\n{a:#?}\n{b:#?}"))
}
