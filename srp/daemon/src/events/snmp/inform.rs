//! Informs: notifications that the station acknowledges (RFC 3416 section 4.2.7). Pure: datagrams in, datagrams out.
//!
//! Of version 3 the station is the authoritative engine, so its name and clock have to be known first (RFC 3414 sections 4 and
//! 3.2): the first datagram to it asks, its Report says them, and a later Report puts a clock right that has gone wrong. What
//! proves nothing changes nothing but that first answer, which nobody can prove: it names an engine for which a wrong one
//! has no keys.

use rasn_snmp::v2::{GetRequest, InformRequest, Pdu, Pdus, Response};
use rasn_snmp::v2c;
use srp_core::config::{EngineId, SnmpAuth};
use srp_core::events::Entry;
use srp_core::types::Time;

use super::usm::{self, Opened, User};
use super::{Credentials, EncodeError, notification};

/// What was heard from a station.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It has the notification.
    Acknowledged,
    /// It said what was missing: the next datagram is another one.
    Learned,
    /// Nothing that counts, and why.
    Ignored(&'static str),
}

/// Makes informs for one station, one at a time, and judges its answers.
pub struct Asker {
    proof: Proof,
    started: Time,
    /// Number of the last datagram.
    number: u32,
    pdu: Option<Pdu>,
}

enum Proof {
    Community(Vec<u8>),
    User(Box<Knock>),
}

/// What a user of version 3 needs to speak to a station.
struct Knock {
    own: EngineId,
    name: String,
    auth: Option<(SnmpAuth, String)>,
    privacy: Option<String>,
    salt: u64,
    station: Option<Station>,
}

/// The engine of the station, its clock as it told it, and our keys for it.
struct Station {
    engine: EngineId,
    boots: u32,
    time: u32,
    at: Time,
    user: User,
}

impl Station {
    /// Its clock now, as far as we know.
    fn clock(&self, now: Time) -> (u32, u32) {
        let passed = u32::try_from(now.since(self.at).as_secs()).unwrap_or_default();
        (self.boots, self.time.saturating_add(passed))
    }
}

impl Asker {
    /// `started` is when the daemon began; `salt` is a random number.
    pub fn new(credentials: &Credentials, own: &EngineId, started: Time, salt: u64) -> Self {
        let proof = match credentials {
            Credentials::Community(community) => Proof::Community(community.clone().into_bytes()),
            Credentials::User { name, auth, privacy } => Proof::User(Box::new(Knock {
                own: own.clone(),
                name: name.clone(),
                auth: auth.clone(),
                privacy: privacy.clone(),
                salt,
                station: None,
            })),
        };
        // Where it begins, nobody can guess the number of an answer.
        let number = u32::try_from(salt & 0x3fff_ffff).unwrap_or_default();
        Self { proof, started, number, pdu: None }
    }

    /// From here on it is about this event. False if the event has no public number.
    pub fn begin(&mut self, entry: &Entry) -> bool {
        self.pdu = notification::trap(entry, entry.at.since(self.started)).map(|trap| trap.0);
        self.pdu.is_some()
    }

    /// What the station was has to be asked again: it may have become another one.
    pub fn forget(&mut self) {
        if let Proof::User(knock) = &mut self.proof {
            knock.station = None;
        }
    }

    /// The next datagram about the present event; `None` if there is no such event.
    pub fn datagram(&mut self, now: Time) -> Result<Option<Vec<u8>>, EncodeError> {
        self.number = (self.number + 1) & 0x7fff_ffff;
        let Some(pdu) = &self.pdu else { return Ok(None) };
        let pdu = Pdu { request_id: i32::try_from(self.number).unwrap_or_default(), ..pdu.clone() };
        match &mut self.proof {
            Proof::Community(community) => {
                let version = v2c::Message::<InformRequest>::VERSION.into();
                let community = community.clone().into();
                let message = v2c::Message { version, community, data: InformRequest(pdu) };
                rasn::ber::encode(&message).map(Some).map_err(|error| EncodeError::new(&error))
            }
            Proof::User(knock) => knock.datagram(now, self.number, pdu).map(Some),
        }
    }

    /// Judges a datagram of the station.
    pub fn hear(&mut self, now: Time, octets: &[u8]) -> Heard {
        match &mut self.proof {
            Proof::Community(community) => {
                let Ok(message) = rasn::ber::decode::<v2c::Message<Response>>(octets) else {
                    return Heard::Ignored("not a response");
                };
                if message.community.as_ref() != community.as_slice() {
                    return Heard::Ignored("another community");
                }
                answer(&message.data.0, self.number)
            }
            Proof::User(knock) => knock.hear(now, self.number, octets),
        }
    }
}

impl Knock {
    fn datagram(&mut self, now: Time, number: u32, pdu: Pdu) -> Result<Vec<u8>, EncodeError> {
        match &mut self.station {
            // RFC 3414 section 4: no engine, no user, no bindings.
            None => {
                let pdu = Pdus::GetRequest(GetRequest(Pdu { variable_bindings: Vec::new(), ..pdu }));
                usm::question(number, pdu)
            }
            Some(station) => {
                let clock = station.clock(now);
                let pdu = Pdus::InformRequest(InformRequest(pdu));
                station.user.request(&station.engine, &self.own, clock, number, pdu)
            }
        }
    }

    fn hear(&mut self, now: Time, number: u32, octets: &[u8]) -> Heard {
        let Some(opened) = usm::open(octets) else { return Heard::Ignored("not a message of version 3") };
        if opened.number != number {
            return Heard::Ignored("answers nothing that is out");
        }
        let Some(station) = &mut self.station else {
            return self.learn(now, opened);
        };
        if opened.engine != station.engine.0 {
            return Heard::Ignored("another engine");
        }
        let (boots, time) = (opened.boots, opened.time);
        let pdu = match station.user.proved(octets, opened) {
            Ok(pdu) => pdu,
            Err(why) => return Heard::Ignored(why),
        };
        match pdu {
            Pdus::Response(Response(pdu)) => answer(&pdu, number),
            // RFC 3414 section 3.2.7b: our idea of its clock was wrong, and it says so with proof.
            Pdus::Report(_) => {
                (station.boots, station.time, station.at) = (boots, time, now);
                Heard::Learned
            }
            _ => Heard::Ignored("neither a response nor a report"),
        }
    }

    fn learn(&mut self, now: Time, opened: Opened) -> Heard {
        // RFC 3411 section 5: an engine has a name of 5 to 32 octets.
        if !opened.is_report() || !(5..=32).contains(&opened.engine.len()) {
            return Heard::Ignored("does not name its engine");
        }
        let engine = EngineId(opened.engine);
        self.salt = self.salt.wrapping_add(1 << 32);
        let user = User::new(&self.name, self.auth.as_ref(), self.privacy.as_deref(), &engine, self.salt);
        self.station = Some(Station { engine, boots: opened.boots, time: opened.time, at: now, user });
        Heard::Learned
    }
}

fn answer(pdu: &Pdu, number: u32) -> Heard {
    if u32::try_from(pdu.request_id) != Ok(number) {
        return Heard::Ignored("answers nothing that is out");
    }
    match pdu.error_status {
        Pdu::ERROR_STATUS_NO_ERROR => Heard::Acknowledged,
        _ => Heard::Ignored("the station refuses it"),
    }
}
