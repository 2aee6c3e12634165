//! Limits of snippets, and the life cycle of worker processes.
//!
//! The tests count the child processes of the test process, so they run
//! sequentially.

use std::time::Duration;

use crate::support::{TIMEOUT, children, config, cpu_ticks, is_gone, pool, run, until};
use serde_json::{Map, Value, json};
use sluice_python::{Pool, PythonError};
use tokio::sync::{Mutex, MutexGuard};

static EXCLUSIVE: Mutex<()> = Mutex::const_new(());

/// Waits until other tests and their workers have ended.
async fn exclusive() -> MutexGuard<'static, ()> {
    let guard = EXCLUSIVE.lock().await;
    until("no workers are left", || children().is_empty()).await;
    guard
}

const ENDLESS_LOOP: &str = "while True: pass";

/// Starts an endless loop and waits until its worker is running it.
async fn start_endless_loop(pool: &Pool) -> (tokio::task::JoinHandle<Result<Value, PythonError>>, u32) {
    let known = children();
    let task = tokio::spawn({
        let pool = pool.clone();
        async move { pool.run(ENDLESS_LOOP, &Map::new()).await }
    });
    let mut pid = None;
    until("a worker uses CPU time", || {
        pid = children().into_iter().find(|pid| !known.contains(pid));
        pid.is_some_and(|pid| cpu_ticks(pid) > 5)
    })
    .await;
    (task, pid.unwrap())
}

#[tokio::test]
async fn an_endless_loop_times_out_without_delaying_other_runs() {
    let _guard = exclusive().await;
    let pool = pool(2);
    let (task, _) = start_endless_loop(&pool).await;
    for n in 0..20 {
        assert_eq!(run(&pool, &format!("return {n}")).await, Ok(json!(n)));
    }
    assert!(!task.is_finished());
    task.abort();

    let mut config = config(1);
    config.limits.time = Duration::from_millis(200);
    let pool = Pool::new(config);
    let expected = Err(PythonError::Timeout(Duration::from_millis(200)));
    assert_eq!(run(&pool, ENDLESS_LOOP).await, expected);
    let catches_everything = "while True:\n    try:\n        while True: pass\n    except: pass";
    assert_eq!(run(&pool, catches_everything).await, expected);
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
}

#[tokio::test]
async fn a_worker_that_does_not_reply_is_killed() {
    let _guard = exclusive().await;
    let mut config = config(1);
    config.args = vec!["hang".into()];
    config.limits.time = Duration::from_millis(50);
    config.grace = Duration::from_millis(50);
    let result = run(&Pool::new(config), "return 1").await;
    assert_eq!(result, Err(PythonError::Timeout(Duration::from_millis(50))));
    until("the worker is gone", || children().is_empty()).await;
}

#[tokio::test]
async fn exceeding_the_memory_limit_ends_only_its_run() {
    let _guard = exclusive().await;
    let mut config = config(1);
    config.limits.memory_bytes = 64 * 1024 * 1024;
    let pool = Pool::new(config);
    for code in [
        "return 'x' * 10**10",
        "a = [1]\nwhile True: a = a + a",
        "a = []\nwhile True: a.append('some text ' + str(len(a)))",
        "a = {}\nwhile True: a[len(a)] = [len(a)]",
        "return 10 ** (10 ** 9)",
        "return [0] * 10**9",
        "try:\n    a = [1]\n    while True: a = a + a\nexcept: pass",
        "a = 'x' * 1000000\nreturn [a.upper() for i in range(10**6)]",
        "a = [1]\nfor i in range(60): a = [a, a]\nreturn a",
    ] {
        let expected = Err(PythonError::Memory(64 * 1024 * 1024));
        assert_eq!(run(&pool, code).await, expected, "{code}");
        assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
    }
    // The limit applies to each run, not to all runs of a worker together.
    for _ in 0..8 {
        assert_eq!(run(&pool, "return len('x' * 40000000)").await, Ok(json!(40_000_000)));
    }
    let huge = json!({"node": "x".repeat(65 * 1024 * 1024)});
    let result = pool.run("return 1", huge.as_object().unwrap()).await;
    assert_eq!(result, Err(PythonError::Memory(64 * 1024 * 1024)));
}

#[tokio::test]
async fn recursion_is_limited() {
    let _guard = exclusive().await;
    let pool = pool(1);
    for code in [
        "def f(n):\n    return f(n + 1)\nreturn f(0)",
        "class A:\n    def __repr__(self):\n        return repr(self)\nreturn repr(A())",
        "class A:\n    def __eq__(self, o):\n        return self == o\nreturn A() == A()",
        "def f(x):\n    return sorted([1, 2], key=f)\nreturn f(0)",
        "a, b = [], []\nfor i in range(100000): a, b = [a], [b]\nreturn a == b",
    ] {
        assert_eq!(run(&pool, code).await, Err(PythonError::Recursion(1000)), "{code}");
        assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
    }
}

#[tokio::test]
async fn the_operating_system_is_inaccessible() {
    let _guard = exclusive().await;
    let pool = pool(1);
    for code in [
        "return open('/etc/passwd').read()",
        "import os\nreturn os.environ['PATH']",
        "import os\nreturn os.getenv('PATH')",
        "from pathlib import Path\nreturn Path('/etc/passwd').read_text()",
        "from pathlib import Path\nreturn list(Path('/').iterdir())",
        "from pathlib import Path\nPath('/tmp/x').write_text('x')",
    ] {
        let text = run(&pool, code).await.unwrap_err().to_string();
        assert!(
            text.contains("PythonFuncNode has no access to files, network or the operating system"),
            "{code}: {text}"
        );
    }
    let caught = "try:\n    open('/etc/passwd')\nexcept PermissionError as e:\n    return 'no'";
    assert_eq!(run(&pool, caught).await, Ok(json!("no")));
    for code in [
        "return ().__class__.__bases__",
        "return (lambda: 0).__globals__",
        "return getattr((), '__class__').__subclasses__()",
        "import sys\nreturn sys.modules['os']",
        "import os\nreturn os.system('true')",
        "return __import__('os')",
        "import ctypes",
    ] {
        let error = run(&pool, code).await.unwrap_err();
        let is_expected = matches!(error, PythonError::Raised { .. } | PythonError::Unsupported(_));
        assert!(is_expected, "{code}: {error:?}");
    }
}

#[tokio::test]
async fn a_worker_inherits_no_environment_or_files() {
    let _guard = exclusive().await;
    let pool = pool(1);
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
    let [pid] = children()[..] else {
        panic!("not one worker: {:?}", children());
    };
    let proc = std::path::PathBuf::from(format!("/proc/{pid}"));
    assert_eq!(std::fs::read(proc.join("environ")).unwrap(), b"");
    assert_eq!(std::fs::read_link(proc.join("cwd")).unwrap().to_str(), Some("/"));
    let mut open: Vec<_> =
        std::fs::read_dir(proc.join("fd")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    open.sort();
    assert_eq!(open, ["0", "1", "2"]);
}

#[tokio::test]
async fn rejects_results_that_are_too_large() {
    let _guard = exclusive().await;
    let mut config = config(1);
    config.limits.output_bytes = 100;
    let pool = Pool::new(config);
    assert_eq!(run(&pool, "return 'x' * 98").await, Ok(json!("x".repeat(98))));
    for code in ["return 'x' * 99", "return [1] * 1000"] {
        assert_eq!(run(&pool, code).await, Err(PythonError::OutputTooLarge(100)));
    }
    let long = run(&pool, "raise ValueError('x' * 10000000)").await.unwrap_err();
    assert!(matches!(&long, PythonError::Raised { message, .. } if message.len() < 5000));
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
}

#[tokio::test]
async fn a_killed_worker_is_replaced() {
    let _guard = exclusive().await;
    let pool = pool(1);
    let (task, pid) = start_endless_loop(&pool).await;
    kill(pid);
    let result = task.await.unwrap();
    assert_eq!(result, Err(PythonError::Crashed("killed by signal 9".to_owned())));
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));

    // The death of an idle worker has no effect.
    let idle = children();
    idle.iter().copied().for_each(kill);
    until("the idle worker is gone", || idle.iter().all(|pid| is_gone(*pid))).await;
    assert_eq!(run(&pool, "return 2").await, Ok(json!(2)));
}

fn kill(pid: u32) {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn dropping_the_future_kills_the_worker() {
    let _guard = exclusive().await;
    let pool = pool(1);
    let (task, pid) = start_endless_loop(&pool).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    until("the worker is gone", || is_gone(pid)).await;
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
}

#[tokio::test]
async fn dropping_the_pool_kills_idle_workers() {
    let _guard = exclusive().await;
    let pool = pool(1);
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
    let workers = children();
    assert_eq!(workers.len(), 1);
    drop(pool);
    until("the worker is gone", || is_gone(workers[0])).await;
}

// Stdin is closed when the server dies.
#[tokio::test]
async fn a_busy_worker_exits_when_its_stdin_is_closed() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let _guard = exclusive().await;
    let mut worker = Command::new(env!("CARGO_BIN_EXE_sluice-python-test-worker"))
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let limits = sluice_python::Limits { time: TIMEOUT * 10, ..Default::default() };
    let request = json!({"code": ENDLESS_LOOP, "inputs": {}, "limits": limits}).to_string();
    let mut stdin = worker.stdin.take().unwrap();
    stdin.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stdin.write_all(request.as_bytes()).unwrap();
    until("it's busy", || cpu_ticks(worker.id()) > 5).await;
    drop(stdin);
    until("it's gone", || worker.try_wait().unwrap().is_some()).await;
}

#[tokio::test]
async fn fifty_runs_share_two_workers() {
    let _guard = exclusive().await;
    let pool = pool(2);
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let inputs = json!({"node": {"n": n}});
                let code = "return sum(range(2000)) * 0 + input_model.node.n";
                pool.run(code, inputs.as_object().unwrap()).await
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), Ok(json!(n)));
        assert!(children().len() <= 2);
    }
}

#[tokio::test]
async fn a_worker_is_replaced_after_its_number_of_runs() {
    let _guard = exclusive().await;
    let mut config = config(1);
    config.runs_per_worker = 2;
    let pool = Pool::new(config);
    assert_eq!(run(&pool, "return 1").await, Ok(json!(1)));
    let first = children();
    assert_eq!(run(&pool, "return 2").await, Ok(json!(2)));
    until("the first worker is gone", || is_gone(first[0])).await;
    assert_eq!(run(&pool, "return 3").await, Ok(json!(3)));
    assert_eq!(children().len(), 1);
}

#[tokio::test]
async fn a_pool_rejects_runs_after_shutdown() {
    let _guard = exclusive().await;
    let pool = pool(2);
    let (task, _) = start_endless_loop(&pool).await;
    pool.shutdown().await;
    let expected = Err(PythonError::Worker("the pool is shut down".to_owned()));
    assert_eq!(task.await.unwrap(), expected);
    assert_eq!(run(&pool, "return 1").await, expected);
    pool.shutdown().await;
    until("no worker is left", || children().is_empty()).await;
}

#[tokio::test]
async fn a_worker_that_cannot_start_is_an_error() {
    let _guard = exclusive().await;
    let mut missing = config(1);
    missing.program = "/nonexistent/worker".into();
    let result = run(&Pool::new(missing), "return 1").await;
    assert!(matches!(result, Err(PythonError::Worker(_))), "{result:?}");

    let mut broken = config(1);
    broken.args = vec!["exit".into()];
    let result = run(&Pool::new(broken), "return 1").await;
    assert_eq!(result, Err(PythonError::Crashed("exit code 3".to_owned())));
}
