//! Restrictions and the memory limit of the worker process.
//!
//! The interpreter has no access to the operating system anyway. This is the
//! second line of defense, in case it has a bug.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Highest file descriptor of the standard streams.
const STDERR: i32 = 2;

/// Restricts the process before the first request.
///
/// Errors are ignored: each restriction is independent of the others, and on a
/// system that rejects one the others still help.
pub(super) fn enter() {
    close_inherited();
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    // Writing to pipes isn't affected.
    let _ = setrlimit(Resource::RLIMIT_FSIZE, 0, 0);
    // Three streams, and one more to read the size of the process.
    let _ = setrlimit(Resource::RLIMIT_NOFILE, 4, 4);
}

/// Forbids further threads and processes; called when all threads run. (It has
/// no effect on a process of the superuser.)
pub(super) fn forbid_processes() {
    let _ = setrlimit(Resource::RLIMIT_NPROC, 0, 0);
}

/// Closes file descriptors that the server itself inherited without
/// close-on-exec, such as sockets from a service manager.
fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let open: Vec<i32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > STDERR)
        .collect();
    for fd in open {
        // The descriptor of the listing itself is closed already.
        let _ = nix::unistd::close(fd);
    }
}

/// The limit on the process' address space.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Size of the process before its first request, and the bytes on top of it
    /// that a snippet may use; `None` before the first request.
    set: Option<(u64, u64)>,
}

impl Memory {
    /// Limits the address space to that of the idle process and `bytes` more.
    /// Later calls with the same limit change nothing, so that memory which
    /// earlier snippets occupy doesn't raise the limit.
    pub(super) fn limit(&mut self, bytes: u64) -> io::Result<()> {
        if self.set.is_some_and(|(_, limit)| limit == bytes) {
            return Ok(());
        }
        let base = match self.set {
            Some((base, _)) => base,
            None => address_space()?,
        };
        let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
        let limit = base.saturating_add(bytes).min(hard);
        setrlimit(Resource::RLIMIT_AS, limit, hard)?;
        self.set = Some((base, bytes));
        Ok(())
    }

    /// True if earlier snippets have left the process so large that the next one
    /// would have markedly less memory than its limit.
    pub(super) fn has_grown(&self) -> bool {
        match (self.set, address_space()) {
            (Some((base, limit)), Ok(size)) => size.saturating_sub(base) > limit / 4,
            // A new worker is safer than one in an unknown state.
            (Some(_), Err(_)) => true,
            (None, _) => false,
        }
    }
}

/// Bytes of address space that the process occupies.
fn address_space() -> io::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmSize:"))
        .and_then(|size| size.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kib| kib * 1024)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}
