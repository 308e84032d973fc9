//! What stands in the way of an upgrade: it is refused or stopped with its reason, the pair serves as before, and it can be given
//! up or gone on with.

use std::time::Duration;

use lab::wait::{self, Seen};
use serde_json::Value;

use crate::pair::Site;
use crate::prepared::done;

const LIMIT: Duration = Duration::from_mins(2);

impl Site {
    /// East has the sound image `next`, by its path there; nothing is in hand before and after.
    pub fn refuses_before_the_first_step(&self, next: &str) {
        let refused = |file: &str| self.refused_at("east", &format!("srpctl upgrade {file} 2>&1"));
        self.type_at("east", &format!("cp {next} /flash/unsigned.bin"));
        let said = refused("/flash/unsigned.bin");
        assert!(said.contains("unsigned.bin.sig"), "{said}");
        // Signed once, and cut off since.
        self.type_at("east", &format!("cp {next}.sig /flash/unsigned.bin.sig"));
        self.type_at("east", "truncate -s 20000000 /flash/unsigned.bin");
        let said = refused("/flash/unsigned.bin");
        assert!(said.contains("is cut off after"), "{said}");
        self.type_at("east", "rm /flash/unsigned.bin /flash/unsigned.bin.sig");

        // Its last octets are root's alone, and srpctl is root there.
        self.type_at("west", "dd if=/dev/zero of=/flash/full bs=1M 2>/dev/null; sync");
        let said = refused(next);
        assert!(said.contains("/flash of the peer has") && said.contains("delete files there"), "{said}");
        self.type_at("west", "rm /flash/full");

        self.type_at("west", "mount -o remount,ro /flash");
        let said = refused(next);
        assert!(said.contains("the peer") && said.contains("Read-only file system"), "{said}");
        self.type_at("west", "mount -o remount,rw /flash");
        for name in ["east", "west"] {
            let said = self.refused_at(name, "srpctl upgrade status 2>&1");
            assert!(said.contains("there is no upgrade yet"), "{name}: {said}");
        }
    }

    /// The peer goes while the image is on its way there: it stops, and goes on once the peer is back and somebody says so. Then it
    /// is given up, again in the middle of the copy: half an image is never there.
    pub fn stops_without_its_peer_and_goes_on_and_is_given_up(&self, next: &str) {
        self.type_at("east", &format!("srpctl upgrade {next} --detach"));
        self.until_it_copies_to_the_peer();
        self.type_at("west", "killall dropbear");
        let status = self.until_not_running();
        let reasons = status["reasons"].to_string();
        assert_eq!(status["outcome"], "stopped", "{status}");
        assert!(reasons.contains("the peer cannot be reached"), "{reasons}");
        // It stays in hand, and cannot go on yet.
        let said = self.refused_at("east", &format!("srpctl upgrade {next} 2>&1"));
        assert!(said.contains("is in hand"), "{said}");
        let said = self.refused_at("east", "srpctl upgrade resume 2>&1");
        assert!(said.contains("the peer cannot be reached"), "{said}");

        self.type_at("west", "/etc/init.d/S60ssh start");
        self.type_at("east", "until dbclient root@192.0.2.2 true 2>/dev/null; do sleep 1; done");
        self.type_at("east", "srpctl upgrade resume --detach");
        self.until_it_copies_to_the_peer();
        let said = self.type_at("east", "srpctl upgrade abort");
        assert!(!said.contains("does not know"), "{said}");
        for name in ["east", "west"] {
            let status = self.status(name);
            assert_eq!(status["outcome"], "aborted", "{name}: {status}");
        }
        self.type_at("west", &format!("[ ! -e {next} ]"));
    }

    fn until_it_copies_to_the_peer(&self) {
        let copies = wait::until("the copy to the peer", LIMIT, Duration::from_millis(200), || {
            let status = self.status("east");
            assert_eq!(status["outcome"], "running", "{status}");
            let done = status["done"].as_array().map_or(0, Vec::len);
            let next = &status["steps"][done];
            let copies = next["act"] == "copy" && next["side"] == "peer";
            Ok(if copies { Seen::Done(()) } else { Seen::NotYet(next.to_string()) })
        });
        done(copies);
    }

    fn until_not_running(&self) -> Value {
        done(wait::until("the end of the attempt", LIMIT, Duration::from_millis(200), || {
            let status = self.status("east");
            let runs = status["outcome"] == "running";
            Ok(if runs { Seen::NotYet(status.to_string()) } else { Seen::Done(status) })
        }))
    }
}
