//! What lies on `/flash`: the boot stack, signatures with their keys, and images by their headers.

use std::io::Cursor;
use std::path::Path;

use ::image::boot::{Block, FlashPath, Priority};
use ::image::bundle::{MEMBERS, read_from};
use ::image::signature::{Keys, SignatureError};

use super::Target;
use crate::feedback::Features;

pub(super) const TARGETS: [Target; 3] = [
    Target { name: "boot", seeds: blocks, run: block },
    Target { name: "signature", seeds: signatures, run: signature },
    Target { name: "bundle", seeds: bundles, run: bundle },
];

/// Two entries, one of which was passed over; without the padding, which `block` adds.
fn blocks() -> Vec<Vec<u8>> {
    let slot = |slot: u8, priority: u8, why: &str| {
        format!(
            "s{slot}_prio={priority}\ns{slot}_img=/a.bin\ns{slot}_cfg=/a.toml\ns{slot}_tries=3\ns{slot}_ok=1\ns{slot}_why={why}\n"
        )
    };
    let header = "# GRUB Environment Block\n";
    vec![format!("{header}{}{}other=a\\\\b\n", slot(1, 9, ""), slot(2, 10, "tries")).into_bytes()]
}

fn block(octets: &[u8], features: &mut Features) {
    let mut octets = octets.to_vec();
    octets.resize(Block::SIZE, b'#');
    let (saved, faults) = Block::salvage(&octets);
    match Block::decode(&octets) {
        Ok(block) => {
            assert!(faults.is_empty() && block == saved, "what is whole is salvaged as a whole");
            features.meet((block.stack.entries().len(), block.others.len().min(4)));
        }
        Err(fault) => {
            assert_eq!(faults.first(), Some(&fault));
            features.meet((std::mem::discriminant(&fault), faults.len().min(6), saved.stack.entries().len()));
        }
    }
    let mut stack = saved.stack.clone();
    if let (Ok(path), Some(priority)) = (FlashPath::new("/new.bin"), Priority::new(5)) {
        features.meet((
            stack.put(priority, path.clone(), path.clone()).is_ok(),
            stack.put_first(path.clone(), path).is_ok(),
        ));
    }
    assert!(stack.entries().is_sorted_by(|a, b| a.priority < b.priority));
    if let Ok(written) = saved.encode() {
        assert_eq!(Block::decode(&written), Ok(saved), "what we write can be read");
    }
}

/// A signature of version 4 by key 1: RSA, SHA-256, dated; and the packets of a key.
fn signatures() -> Vec<Vec<u8>> {
    let body = [
        &[4, 0, 1, 8, 0, 6, 5, 2, 0x68, 0xe7, 0x78, 0][..],
        &[0, 10, 9, 16, 0, 0, 0, 0, 0, 0, 0, 1, 0xab, 0xcd, 0, 17, 1, 2, 3],
    ]
    .concat();
    let key = [4, 0x68, 0xe7, 0x78, 0, 1, 0, 17, 1, 2, 3, 0, 17, 1, 0, 1];
    let old =
        |first: u8, body: &[u8]| [&[first, 0, u8::try_from(body.len()).unwrap_or_default()], body].concat();
    vec![old(0x89, &body), [&[0xc2, 31], &body[..]].concat(), old(0x99, &key)]
}

fn signature(octets: &[u8], features: &mut Features) {
    let keys = Keys::decode(octets);
    features.meet(keys.ids().len().min(3));
    // Whoever can name himself the signer still has to have signed.
    match keys.verify(&b"content"[..], octets) {
        Ok(_) => features.meet("holds"),
        Err(SignatureError::Form { at }) => features.meet(("form", at.min(40))),
        Err(other) => features.meet(std::mem::discriminant(&other)),
    }
}

/// An image whose members have four octets each.
fn bundles() -> Vec<Vec<u8>> {
    let member = |name: &str, size: usize| format!("\"{name}\":{{\"size\":{size},\"sha256\":\"00\"}}");
    let members: Vec<_> = MEMBERS[1..].iter().map(|name| member(name, 4)).collect();
    let manifest = format!(
        "{{\"format\":1,\"product\":\"srp-appliance\",\"architecture\":\"x86_64\",\"version\":\"0.1.0\",\"build\":\"\",\"minimum-version\":\"0.0.0\",\"members\":{{{}}}}}",
        members.join(",")
    );
    let mut octets = Vec::new();
    for (index, name) in MEMBERS.iter().enumerate() {
        let content = if index == 0 { manifest.as_bytes() } else { b"1234" };
        octets.extend(header(name, content.len()));
        octets.extend(content);
        octets.resize(octets.len().next_multiple_of(512), 0);
    }
    octets.extend([0; 1024]);
    vec![octets]
}

/// POSIX ustar, with its sum.
fn header(name: &str, size: usize) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, octets: &[u8]| header[at..at + octets.len()].copy_from_slice(octets);
    put(0, name.as_bytes());
    put(124, format!("{size:011o}").as_bytes());
    put(148, b"        0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|octet| u32::from(*octet)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

fn bundle(octets: &[u8], features: &mut Features) {
    // Headers get their sums, so that mutations come further than to it.
    let mut mended = octets.to_vec();
    for block in mended.chunks_exact_mut(512).filter(|block| block[257..].starts_with(b"ustar")) {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|octet| u32::from(*octet)).sum();
        block[148..155].copy_from_slice(format!("{:06o}\0", sum & 0o777_777).as_bytes());
    }
    for octets in [octets, &mended] {
        match read_from(Cursor::new(octets), Path::new("a.bin")) {
            Ok(bundle) => {
                for (_, place) in bundle.places() {
                    assert!(place.offset + place.size <= octets.len() as u64, "members lie in the file");
                }
                features.meet((bundle.manifest.version.minor, bundle.manifest.members.len()));
            }
            Err(fault) => features.meet(fault.name()),
        }
    }
}
