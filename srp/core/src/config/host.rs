//! `[control]`, `[log]`, `[kernel]` and `[record]`: how `srpd` sits on its host.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::kind::{Choice, FilePath, Integer, Name, Size};
use super::model::{ControlConfig, KernelConfig, LogConfig, LogFormat, Octets, RecordConfig};
use super::reader::{Reported, Section};

/// Where `srpctl` finds `srpd` unless told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/srp/srpd.sock";

/// `sun_path` has 108 octets, the last of them zero (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;

const LEVELS: Choice<&str> =
    Choice(&[("error", "error"), ("warn", "warn"), ("info", "info"), ("debug", "debug"), ("trace", "trace")]);

const FORMATS: Choice<LogFormat> = Choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);

/// Route protocol numbers that have an owner (`rtnetlink.h`, iproute2's `rt_protos`).
const OWNED_PROTOCOLS: [(u8, &str); 26] = [
    (8, "GateD"),
    (9, "router advertisements"),
    (10, "MRT"),
    (11, "FRR's zebra"),
    (12, "BIRD"),
    (13, "DECnet"),
    (14, "XORP"),
    (15, "Netsukuku"),
    (16, "a DHCP client"),
    (17, "a multicast daemon"),
    (18, "keepalived"),
    (42, "babeld"),
    (84, "OVN"),
    (99, "Open/R"),
    (186, "FRR's bgpd"),
    (187, "FRR's isisd"),
    (188, "FRR's ospfd"),
    (189, "FRR's ripd"),
    (190, "FRR's ripngd"),
    (191, "FRR's nhrpd"),
    (192, "FRR's eigrpd"),
    (193, "FRR's ldpd"),
    (194, "FRR's sharpd"),
    (195, "FRR's pbrd"),
    (196, "FRR's static routes"),
    (197, "FRR's ospf6d"),
];

pub(super) fn read_control(s: Option<Section<'_, '_>>, base: &Path) -> Result<ControlConfig, Reported> {
    let Some(s) = s else { return Ok(ControlConfig { socket: PathBuf::from(DEFAULT_SOCKET), group: None }) };
    s.read(|s| {
        let socket = s.or("socket", &FilePath { base }, PathBuf::from(DEFAULT_SOCKET));
        let group = s.optional("group", &Name);
        let socket = socket?;
        let length = socket.value.as_os_str().as_bytes().len();
        if length > LONGEST_SOCKET_PATH {
            return Err(s.report(&socket.at, Fault::SocketPathTooLong { length }));
        }
        Ok(ControlConfig { socket: socket.value, group: group?.map(|group| group.value) })
    })
}

pub(super) fn read_log(s: Option<Section<'_, '_>>) -> Result<LogConfig, Reported> {
    let Some(s) = s else { return Ok(LogConfig { level: "info".into(), format: LogFormat::default() }) };
    s.read(|s| {
        let level = s.or("level", &LEVELS, "info");
        let format = s.or("format", &FORMATS, LogFormat::default());
        Ok(LogConfig { level: level?.value.to_owned(), format: format?.value })
    })
}

pub(super) fn read_kernel(s: Option<Section<'_, '_>>) -> Result<KernelConfig, Reported> {
    const PROTOCOL: u8 = 83;
    const METRIC: u32 = 8;
    const LEARNED_METRIC: u32 = 83;
    let Some(s) = s else {
        return Ok(KernelConfig { protocol: PROTOCOL, metric: METRIC, learned_metric: LEARNED_METRIC });
    };
    s.read(|s| {
        let protocol = s.or("protocol", &Integer::<u8>::new(5, 255), PROTOCOL);
        let metric = s.or("metric", &Integer::<u32>::new(1, u32::MAX), METRIC);
        let learned = s.or("learned-metric", &Integer::<u32>::new(1, u32::MAX), LEARNED_METRIC);
        let protocol = protocol?;
        if let Some((number, owner)) = OWNED_PROTOCOLS.into_iter().find(|(n, _)| *n == protocol.value) {
            return Err(s.report(&protocol.at, Fault::ProtocolTaken { number, owner }));
        }
        let (metric, learned) = (metric?, learned?);
        if metric.value == learned.value {
            return Err(s.report(&learned.at, Fault::SameMetric));
        }
        Ok(KernelConfig { protocol: protocol.value, metric: metric.value, learned_metric: learned.value })
    })
}

pub(super) fn read_record(s: Option<Section<'_, '_>>, base: &Path) -> Result<Option<RecordConfig>, Reported> {
    let Some(s) = s else { return Ok(None) };
    s.read(|s| {
        let size = Size { min: Octets::kib(64), max: Octets::gib(16) };
        let file = s.required("file", &FilePath { base });
        let max_size = s.or("max-size", &size, Octets::mib(16));
        Ok(Some(RecordConfig { file: file?.value, max_size: max_size?.value }))
    })
}
