//! A story told to people: what each step was, and what the chassis and the router made of it.

use super::world::{Act, NAMES, World};

/// Lines of a story, from the beginning.
pub fn tell(root: &World, acts: &[Act]) -> Vec<String> {
    let mut world = root.clone();
    world.trace = Some(Vec::new());
    for act in acts {
        let learnt = if let Act::Learn(side) = act { Some(*side) } else { None };
        world.happen(*act);
        if let Some(side) = learnt {
            let line = match world.nodes[side].session.heard() {
                Some(prepends) => format!("router learns {prepends} prepends of {}", NAMES[side]),
                None => format!("router has nothing of {} any more", NAMES[side]),
            };
            world.note_all(line);
        }
        match act {
            Act::Dial => world.note_all("SRP connection is made"),
            Act::Expire(side) => {
                world.note_all(format_args!("router forgets the old path of {}", NAMES[*side]));
            }
            _ => {}
        }
    }
    world.trace.unwrap_or_default()
}
