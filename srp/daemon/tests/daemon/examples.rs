//! The worked examples of docs/examples: each is right, and runs as a pair.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use srp_core::config::{Config, differences, digest};
use srp_core::types::ChassisState;

use crate::support::{Pair, Place};

const NAMES: [&str; 2] = ["east", "west"];

fn folder(example: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples").join(example)
}

/// Both files of an example as they stand in the repository.
fn files(example: &str) -> [Config; 2] {
    NAMES.map(|name| {
        let file = folder(example).join(format!("{name}.toml"));
        let text = fs::read_to_string(&file).expect("an example is part of the repository");
        Config::from_toml(&text, &file).unwrap_or_else(|faults| panic!("{faults:?}"))
    })
}

/// Every link that a configuration names.
fn links(config: &Config) -> BTreeSet<String> {
    let contexts = || config.contexts.iter();
    let interfaces =
        contexts().flat_map(|context| &context.interfaces).map(|interface| interface.name.clone());
    let loopbacks =
        contexts().flat_map(|context| &context.loopbacks).map(|loopback| loopback.interface.clone());
    interfaces.chain(loopbacks).filter(|link| link != "lo").collect()
}

/// A copy of the example beside its keys, with a socket of its own.
fn copied(place: &Place, example: &str) -> PathBuf {
    let text = fs::read_to_string(folder(example).join(format!("{}.toml", place.name))).expect("an example");
    let file = place.folder.join(format!("{}.toml", place.name));
    let text = text.replace("\"keys/", "\"");
    fs::write(&file, format!("{text}\n[control]\nsocket = \"{}.sock\"\n", place.name)).expect("a copy");
    file
}

/// Both are right, agree with each other, and become a pair with one Active.
fn runs(example: &str) {
    let [east, west] = files(example);
    let items = [&east, &west].map(Config::comparison_items);
    assert_eq!(differences(&items[0], &items[1]), Vec::<String>::new(), "{example}");
    assert_eq!(digest(&items[0]), digest(&items[1]));

    let pair = Pair::new();
    for name in NAMES {
        pair.make_keys(name);
    }
    for link in links(&east) {
        if link == "srp0" {
            // The wire that is there, bare and under the name that the example has for it.
            for place in [&pair.east, &pair.west] {
                let bare = ["addr flush dev srp", "link set srp down", "link set srp name srp0"];
                place.netns.ip(&bare.map(str::to_owned)).expect("a bare wire");
            }
            continue;
        }
        let wire = format!("link add {link} type veth peer name {link} netns {}", pair.west.netns.name());
        pair.east.netns.ip(&[wire]).expect("a wire");
    }
    let daemons = [&pair.east, &pair.west].map(|place| place.start(&copied(place, example)));
    let settled = daemons[0].await_info("one Active and one Standby, in sync", |info| {
        let peer = info.peer.as_ref().map(|peer| peer.state);
        let states = [Some(info.chassis_state), peer];
        states.contains(&Some(ChassisState::Active))
            && states.contains(&Some(ChassisState::Standby))
            && info.configuration_state == "In sync"
    });
    assert!(settled.connection_security.contains("TLS"), "{}", settled.connection_security);
}

#[test]
fn the_smallest_example_runs() {
    runs("smallest");
}

#[test]
fn ctx_1_three_contexts_for_redundancy_source_and_destination_run() {
    let [east, _] = files("three-contexts");
    let names: Vec<_> = east.contexts.iter().map(|context| context.name.as_str()).collect();
    assert_eq!(names, ["srp", "source", "destination"]);
    assert_eq!(east.srp.context, "srp");
    runs("three-contexts");
}

#[test]
fn the_example_on_one_subnet_runs() {
    runs("layer-2");
}

#[test]
fn there_are_no_examples_but_those_that_run() {
    let entries = fs::read_dir(folder("")).expect("docs/examples");
    let found: BTreeSet<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    assert_eq!(found, ["layer-2", "smallest", "three-contexts"].map(str::to_owned).into());
}

/// The schema that `srpd schema` prints is one, and takes every example and refuses a slip of the pen: by another implementation
/// than anything of ours.
#[test]
fn the_schema_for_editors_takes_every_example_and_refuses_a_slip_of_the_pen() {
    const CHECK: &str = "
import json, sys, tomllib, jsonschema
schema = json.loads(sys.argv[1])
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)
for file in sys.argv[2:]:
    with open(file, 'rb') as text:
        example = tomllib.load(text)
    errors = [error.message for error in validator.iter_errors(example)]
    assert not errors, (file, errors)
    for key, value in [('helo-interval', '50ms'), ('priority', 256), ('hello-interval', 50), ('chassis-mode', 'first')]:
        wrong = {**example, 'srp': {**example['srp'], key: value}}
        assert not validator.is_valid(wrong), (file, key)
";
    let schema = Command::new(env!("CARGO_BIN_EXE_srpd")).arg("schema").output().expect("srpd runs");
    let schema = String::from_utf8(schema.stdout).expect("JSON");
    let examples = ["smallest", "three-contexts", "layer-2"];
    let files =
        examples.iter().flat_map(|example| NAMES.map(|name| folder(example).join(format!("{name}.toml"))));
    let said = Command::new("python3").args(["-c", CHECK, &schema]).args(files).output();
    let said = said
        .unwrap_or_else(|error| panic!("python3 with jsonschema is needed (python3-jsonschema): {error}"));
    assert!(said.status.success(), "python3-jsonschema: {}", String::from_utf8_lossy(&said.stderr));
}
