//! Restrictions and the memory limit of the worker process.
//!
//! The interpreter doesn't access the operating system. The restrictions are a
//! second line of defense against bugs of the interpreter.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Highest file descriptor of the standard streams.
const STDERR: i32 = 2;

/// Restricts the process before the first request.
///
/// Ignores errors: the restrictions are independent of each other, so that the
/// others are effective even if the system rejects one of them.
pub(super) fn enter() {
    close_inherited();
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // Doesn't apply to pipes.
    let _ = setrlimit(Resource::RLIMIT_FSIZE, 0, 0);
    // The standard streams, and one file to read the size of the process.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, 4, 4);
}

/// Forbids further threads and processes. To be called when all threads are
/// running. Has no effect on processes of the superuser.
pub(super) fn forbid_processes() {
    let _ = setrlimit(Resource::RLIMIT_NPROC, 0, 0);
}

/// Closes file descriptors that the server inherited without close-on-exec, such
/// as sockets from a service manager.
fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > STDERR)
        .collect();
    for fd in open {
        // Fails for the descriptor of `entries`, which is closed already.
        let _ = nix::unistd::close(fd);
    }
}

/// The limit of the address space of the process.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Size of the process before its first request, and the number of additional
    /// bytes that a snippet may use. `None` before the first request.
    base_and_limit: Option<(u64, u64)>,
}

impl Memory {
    /// Limits the address space to the size of the idle process plus `bytes`.
    /// Later calls don't measure that size again, so that memory occupied by
    /// earlier snippets doesn't raise the limit.
    pub(super) fn limit(&mut self, bytes: u64) -> io::Result<()> {
        if self.base_and_limit.is_some_and(|(_, limit)| limit == bytes) {
            return Ok(());
        }
        let base = match self.base_and_limit {
            Some((base, _)) => base,
            None => address_space()?,
        };
        let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
        let limit = base.saturating_add(bytes).min(hard);
        setrlimit(Resource::RLIMIT_AS, limit, hard)?;
        self.base_and_limit = Some((base, bytes));
        Ok(())
    }

    /// Returns true if the process has grown so much that the next snippet would have significantly less memory than
    /// its limit.
    pub(super) fn has_grown(&self) -> bool {
        match (self.base_and_limit, address_space()) {
            (Some((base, limit)), Ok(size)) => size.saturating_sub(base) > limit / 4,
            // The size is unknown, so that replacing the worker is safer.
            (Some(_), Err(_)) => true,
            (None, _) => false,
        }
    }
}

/// Returns the size of the address space of the process, in bytes.
fn address_space() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .and_then(|size| size.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
