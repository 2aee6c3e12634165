//! The `sluice` binary as a child process.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Deadline for conditions that a correct server meets within seconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// Exit code and output of a command.
#[derive(Debug)]
pub(crate) struct CommandOutput {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl CommandOutput {
    /// Returns standard output followed by standard error.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }
}

/// A running server.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<String>>,
    /// Reads standard error until `is_reading` is false.
    reader: JoinHandle<()>,
    is_reading: Arc<AtomicBool>,
    /// `http://127.0.0.1:PORT`
    pub(crate) base: String,
}

/// Returns the path of the binary under test: `SLUICE_BIN`, or the build in the target folder of this test.
fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SLUICE_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("the path of the test binary");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a test runs from target/PROFILE/deps");
    let path = profile.join(format!("sluice{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.exists(),
        "{} is missing: build it with `cargo build -p sluice`, or run the tests with `make test`",
        path.display()
    );
    path
}

/// Returns a command of the binary, without the settings of the caller's shell.
fn command<S: AsRef<OsStr>>(args: &[S], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    command.args(args).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the binary and kills it after `duration`. Returns true if it ended by itself before.
pub(crate) fn run_for<S: AsRef<OsStr>>(args: &[S], duration: Duration) -> bool {
    let mut child =
        command(args, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    std::thread::sleep(duration);
    let ended = child.try_wait().expect("the state of the child").is_some();
    child.kill().ok();
    child.wait().expect("the child ends");
    ended
}

/// Runs the binary to completion.
pub(crate) fn run<S: AsRef<OsStr>>(args: &[S], env: &[(&str, &str)]) -> CommandOutput {
    let mut child = command(args, env).spawn().expect("the binary starts");
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(&mut child, "the command to end");
    let code = status.and_then(|s| s.code());
    let text = |t: JoinHandle<String>| t.join().expect("a reader thread");
    CommandOutput { code, stdout: text(stdout), stderr: text(stderr) }
}

/// Runs the binary to completion on another thread, so that the runtime keeps serving connections.
pub(crate) async fn run_async(args: &[&str]) -> CommandOutput {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    tokio::task::spawn_blocking(move || run(&args, &[])).await.expect("the thread of the command")
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut pipe = pipe.expect("a piped stream");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("the command's output");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the exit status. A child that outlives the deadline is killed, and the test fails.
fn wait(child: &mut Child, what: &str) -> Option<ExitStatus> {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait().expect("the state of the child") {
            return Some(status);
        }
        if Instant::now() > end {
            child.kill().expect("the child can be killed");
            child.wait().expect("the child ends");
            assert!(std::thread::panicking(), "waited {DEADLINE:?} for {what}");
            return None;
        }
        std::thread::sleep(POLL);
    }
}

impl Process {
    /// Starts `sluice` with `args` and waits until it listens.
    pub(crate) fn start(args: &[String], env: &[(String, String)]) -> Self {
        let env: Vec<_> = env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let mut child = command(args, &env).spawn().expect("the binary starts");
        let log = Arc::new(Mutex::new(String::new()));
        let is_reading = Arc::new(AtomicBool::new(true));
        follow(child.stdout.take(), Arc::clone(&log), Arc::clone(&is_reading));
        let reader = follow(child.stderr.take(), Arc::clone(&log), Arc::clone(&is_reading));
        let mut process = Self { child, log, reader, is_reading, base: String::new() };
        process.base = process.wait_for_address();
        process
    }

    /// Reads the address from the log, since the system chooses the port.
    fn wait_for_address(&mut self) -> String {
        const MARK: &str = "listening on http://";
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            let log = self.log();
            if let Some(at) = log.find(MARK) {
                let rest = &log[at + MARK.len()..];
                let address: String =
                    rest.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
                return format!("http://{address}");
            }
            let ended = self.child.try_wait().expect("the state of the server");
            assert!(ended.is_none(), "the server ended at start with {ended:?}:\n{}", self.log());
            std::thread::sleep(POLL);
        }
        panic!("no line `{MARK}…` after {DEADLINE:?}:\n{}", self.log());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the state of the server").is_some()
    }

    /// Returns the processor time of the process.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its state");
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok());
        // Linux counts hundredths of a second.
        Duration::from_millis(10 * ticks.sum::<u64>())
    }

    /// Returns the process ids of the server's child processes, the Python workers.
    pub(crate) fn children(&self) -> Vec<Pid> {
        let parent = |pid: i32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            // The process name before it can contain spaces and brackets.
            stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
        };
        let all = std::fs::read_dir("/proc").expect("the processes").flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| parent(*pid) == Some(self.child.id())).map(Pid::from_raw).collect()
    }

    /// Returns the log of the server so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("the log").clone()
    }

    /// Closes the reading end of the log at its next line.
    pub(crate) fn stop_reading_log(&self) {
        self.is_reading.store(false, Ordering::Relaxed);
    }

    /// Returns true once the reading end of the log is closed.
    pub(crate) fn is_log_closed(&self) -> bool {
        self.reader.is_finished()
    }

    /// Sends SIGKILL.
    pub(crate) fn kill9(mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    /// Sends SIGTERM and returns the exit code once the server has drained.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process id"));
        kill(pid, Signal::SIGTERM).expect("the server can be signaled");
        wait(&mut self.child, "the server to end after SIGTERM").and_then(|s| s.code())
    }
}

fn follow(
    pipe: Option<impl Read + Send + 'static>,
    log: Arc<Mutex<String>>,
    is_reading: Arc<AtomicBool>,
) -> JoinHandle<()> {
    let pipe = BufReader::new(pipe.expect("a piped stream"));
    std::thread::spawn(move || {
        for line in pipe.split(b'\n').map_while(Result::ok) {
            let mut log = log.lock().expect("the log");
            log.push_str(&String::from_utf8_lossy(&line));
            log.push('\n');
            if !is_reading.load(Ordering::Relaxed) {
                return;
            }
        }
    })
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both calls fail after `kill9` and `terminate`.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            let log = format!("--- the server's log ---\n{}------\n", self.log());
            std::io::stderr().write_all(log.as_bytes()).ok();
        }
    }
}
