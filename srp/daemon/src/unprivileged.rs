//! Giving up root: from here on the process has a user of its own, five capabilities, and no way to anything else.
//!
//! What holds:
//! - It happens before anything is read and before there is a second thread: capabilities and system call filters belong to threads.
//! - There is no way back: the bounding set has no more than what is kept, `no_new_privs` is set, and nothing can be executed.
//! - What the filter refuses gets EPERM and goes on. A chassis that dies of a system call that nobody thought of loses its services,
//!   which is more than the call could have taken.
//!
//! Sources: capabilities(7), seccomp(2), `PR_SET_KEEPCAPS` and `PR_SET_NO_NEW_PRIVS` of prctl(2).

use std::collections::{BTreeMap, HashSet};
use std::ffi::CString;

use caps::{CapSet, Capability};
use libc::c_long;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{User, geteuid, initgroups, setgid, setuid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// What a chassis needs beyond an ordinary user: addresses and routes, ports below 1024, ARP and ICMP, `SCHED_FIFO`, and memory that is
/// never paged out.
pub const KEPT: [Capability; 5] = [
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_BIND_SERVICE,
    Capability::CAP_NET_RAW,
    Capability::CAP_SYS_NICE,
    Capability::CAP_IPC_LOCK,
];

/// System calls by which a process leaves its place: other programs, other processes, other roots and namespaces, the kernel's own
/// code, its clock and its keys, and the large interfaces that have been ways into it.
const REFUSED: [c_long; 50] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_memfd_secret,
];

/// Why root could not be given up. Nothing is run then.
#[derive(Debug, thiserror::Error)]
pub enum GiveUpError {
    /// There is nothing to give up.
    #[error(
        "--user {0}: srpd was not started as root, so it cannot become somebody else: start it as root, or leave --user away"
    )]
    NotRoot(String),
    /// The user is not known here.
    #[error("--user {0}: there is no such user on this machine: make one (useradd --system {0})")]
    NoUser(String),
    /// It would give up nothing.
    #[error("--user {0}: this is root: name an ordinary user")]
    StillRoot(String),
    /// The kernel refused a step.
    #[error("--user {user}: {what}: {reason}")]
    Refused {
        /// Who it was to become.
        user: String,
        /// The step.
        what: &'static str,
        /// What the system said.
        reason: String,
    },
}

/// Becomes `user`, with [`KEPT`] and the filter. To be called by a process with one thread, before it opens anything.
pub fn become_user(user: &str) -> Result<(), GiveUpError> {
    let refused = |what| {
        move |reason: &dyn std::fmt::Display| GiveUpError::Refused {
            user: user.to_owned(),
            what,
            reason: reason.to_string(),
        }
    };
    let step = |what, done: Result<(), Errno>| done.map_err(|errno| refused(what)(&errno));
    if !geteuid().is_root() {
        return Err(GiveUpError::NotRoot(user.to_owned()));
    }
    let found = User::from_name(user).map_err(|errno| refused("looking the user up")(&errno))?;
    let found = found.ok_or_else(|| GiveUpError::NoUser(user.to_owned()))?;
    if found.uid.is_root() {
        return Err(GiveUpError::StillRoot(user.to_owned()));
    }

    let kept = HashSet::from(KEPT);
    for capability in
        caps::read(None, CapSet::Bounding).map_err(|error| refused("reading the bounding set")(&error))?
    {
        if !kept.contains(&capability) {
            caps::drop(None, CapSet::Bounding, capability)
                .map_err(|error| refused("emptying the bounding set")(&error))?;
        }
    }
    let name = CString::new(found.name.as_str()).map_err(|error| refused("the user's name")(&error))?;
    step("joining the user's groups", initgroups(&name, found.gid))?;
    step("taking the user's group", setgid(found.gid))?;
    step("keeping capabilities", prctl::set_keepcaps(true))?;
    step("becoming the user", setuid(found.uid))?;
    step("keeping no more capabilities", prctl::set_keepcaps(false))?;
    // The user's change has emptied the effective set.
    for set in [CapSet::Permitted, CapSet::Effective] {
        caps::set(None, set, &kept).map_err(|error| refused("setting capabilities")(&error))?;
    }
    caps::clear(None, CapSet::Inheritable)
        .map_err(|error| refused("emptying the inheritable set")(&error))?;
    step("giving up new privileges", prctl::set_no_new_privs())?;
    for filter in filters().map_err(|error| refused("making the filter of system calls")(&error))? {
        apply_filter(&filter).map_err(|error| refused("setting the filter of system calls")(&error))?;
    }
    Ok(())
}

/// One filter by answer.
fn filters() -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let mut refused: BTreeMap<c_long, Vec<SeccompRule>> =
        REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    // A thread is welcome, a user namespace is a way to capabilities.
    let new_user = u64::from(libc::CLONE_NEWUSER.cast_unsigned());
    let condition =
        SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(new_user), new_user)?;
    refused.insert(libc::SYS_clone, vec![SeccompRule::new(vec![condition])?]);
    // Its flags lie in memory, where no filter can look; the library then uses clone.
    let unknown = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let program = |calls, errno: Errno| {
        let answer = SeccompAction::Errno((errno as i32).cast_unsigned());
        SeccompFilter::new(calls, SeccompAction::Allow, answer, std::env::consts::ARCH.try_into()?)?
            .try_into()
    };
    Ok([program(refused, Errno::EPERM)?, program(unknown, Errno::ENOSYS)?])
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::thread;

    use nix::sched::{CloneFlags, unshare};

    use super::*;

    #[test]
    fn behind_the_filter_threads_start_and_programs_and_namespaces_do_not() {
        let behind = || {
            prctl::set_no_new_privs().expect("no new privileges");
            for filter in filters().expect("two filters") {
                apply_filter(&filter).expect("a filter");
            }
            let refused = Command::new("/bin/true").status().expect_err("no program starts");
            assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
            assert_eq!(unshare(CloneFlags::CLONE_NEWNET), Err(Errno::EPERM));
            assert_eq!(nix::unistd::chroot("/"), Err(Errno::EPERM));
            thread::spawn(|| 7).join().expect("a thread of its own")
        };
        // A filter holds for the thread that sets it: the other tests go on.
        assert_eq!(thread::spawn(behind).join().expect("all as it should be"), 7);
        assert!(Command::new("/bin/true").status().expect("starts").success());
    }

    #[test]
    fn who_is_not_there_and_who_is_root_is_refused_before_anything_is_given_up() {
        let error = become_user("no-such-user").expect_err("nobody has this name").to_string();
        assert!(error.contains("there is no such user") && error.contains("useradd --system"), "{error}");
        let error = become_user("root").expect_err("it would give up nothing").to_string();
        assert!(error.contains("name an ordinary user"), "{error}");
        assert!(geteuid().is_root(), "these tests run as root");
    }
}
