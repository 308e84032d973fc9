//! What passes on the link of a row, for tshark to judge.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use socket2::{Domain, Protocol, Socket, Type};

use crate::dissect::{fields, malformed};
use crate::netns::Netns;

/// `ETH_P_ALL` of `linux/if_ether.h` in the octet order of the network.
const EVERY: i32 = 0x0003_u16.to_be() as i32;

/// A frame and when it passed, since 1970.
pub type Frame = (Duration, Vec<u8>);

/// A capture that runs.
pub struct Capture {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Frame>>,
}

impl Capture {
    /// Captures everything on every link of the namespace from now on. A process less than tshark for each row.
    pub fn start(netns: &Netns) -> Self {
        let mut socket = netns
            .run(|| Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(EVERY))))
            .expect("root may capture");
        socket.set_recv_buffer_size(8 << 20).expect("any size");
        socket.set_read_timeout(Some(Duration::from_millis(50))).expect("any time");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut frames = Vec::new();
            let mut octets = vec![0; 1 << 17];
            loop {
                // A frame waits as long as there is one; then it is time to look whether this is the end.
                if let Ok(length) = socket.read(&mut octets) {
                    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
                    frames.push((now, octets[..length].to_vec()));
                } else if stopped.load(Ordering::SeqCst) {
                    return frames;
                }
            }
        });
        Self { stop, thread }
    }

    /// Everything up to now.
    pub fn stop(self) -> Vec<Frame> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("it cannot panic")
    }
}

/// Has tshark read all messages of ours, and returns how many they were.
pub fn judge(frames: Vec<Frame>) -> usize {
    let directory = tempfile::tempdir().expect("there is a directory for temporary files");
    let file = directory.path().join("matrix.pcap");
    std::fs::write(&file, pcap(frames)).expect("it can be written");
    let ours = "bgp && (ip.src == 192.0.2.1 || ipv6.src == 2001:db8::1)";
    assert_eq!(malformed(&file, ours), Vec::<String>::new(), "tshark finds fault with what we have sent");
    // A frame has the types of all its messages.
    fields(&file, ours, "bgp.type").iter().map(|types| types.split(',').count()).sum()
}

/// A file in the format of libpcap 2.4, link type Ethernet.
fn pcap(mut frames: Vec<Frame>) -> Vec<u8> {
    frames.sort();
    let mut file = Vec::new();
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    for value in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 1 << 18, 1] {
        word(&mut file, value);
    }
    for (at, octets) in frames {
        let length = u32::try_from(octets.len()).expect("a frame is no longer than its buffer");
        let seconds = u32::try_from(at.as_secs()).expect("it is before 2106");
        for value in [seconds, at.subsec_micros(), length, length] {
            word(&mut file, value);
        }
        file.extend(octets);
    }
    file
}
