//! The program itself: how it starts, what it refuses, how it ends; and Redis' own tools against it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nr-server");

/// The program, running; killed when the test ends.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    fn start(arguments: &[&str]) -> Program {
        let mut child = Command::new(PROGRAM)
            .args(["--port", "0", "--bind", "127.0.0.1", "--workers", "2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().rsplit(' ').next().and_then(|address| address.parse().ok());
        Program { child, address: address.unwrap_or_else(|| panic!("no address in {line:?}")) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it accepts connections");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        stream
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
    }

    fn ended(&mut self) -> ExitStatus {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().expect("its state can be asked for") {
                return status;
            }
            assert!(Instant::now() < patience, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Runs one of Redis' tools against it; `None` if the tool isn't installed.
    fn tool(&self, tool: &str, arguments: &[&str]) -> Option<Output> {
        let port = self.address.port().to_string();
        match Command::new(tool).args(["-h", "127.0.0.1", "-p", &port]).args(arguments).output() {
            Ok(output) => Some(output),
            Err(error) => {
                println!("skipped: {tool} does not run here ({error})");
                None
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended already where the test asked it to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn refused(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().expect("the program starts");
    assert!(!output.status.success(), "{arguments:?} is accepted");
    String::from_utf8(output.stderr).expect("the error is text")
}

#[test]
fn a_signal_ends_it_after_the_replies_are_sent() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::start(&[]);
        let mut client = program.connect();
        client.write_all(&b"PING\r\n".repeat(1000)).unwrap();
        let mut reply = vec![0; 7 * 1000];
        client.read_exact(&mut reply).unwrap();
        program.signal(signal);
        assert!(program.ended().success(), "{signal}");
        assert_eq!(client.read(&mut reply).unwrap(), 0, "the connection is closed");
    }
}

/// The program with a log and a pidfile in a folder of its own.
struct Logging {
    program: Program,
    directory: PathBuf,
}

impl Logging {
    fn start(name: &str) -> Logging {
        let directory = std::env::temp_dir().join(format!("nr-server-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("a folder can be made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        drop(listener);
        let child = Command::new(PROGRAM)
            .args(["--bind", "127.0.0.1", "--workers", "2", "--logfile", "nr.log", "--pidfile", "nr.pid", "--dir"])
            .arg(&directory)
            .args(["--port", &address.port().to_string()])
            .spawn()
            .expect("the program starts");
        let logging = Logging { program: Program { child, address }, directory };
        logging.eventually("there is a pidfile", || !logging.read("nr.pid").is_empty());
        logging
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    fn eventually(&self, what: &str, condition: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < patience, "it never came about that {what}; the log: {}", self.read("nr.log"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_told(&self, request: &str) {
        assert_eq!(ask(&self.program, request), "+OK\r\n+OK\r\n");
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        // What is left of a test that failed does no harm.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

#[test]
fn it_writes_a_log_and_says_who_it_is() {
    let mut logging = Logging::start("log");
    assert_eq!(logging.read("nr.pid").trim(), logging.program.child.id().to_string());
    logging.is_told("CONFIG SET loglevel verbose\r\n");
    logging.is_told("CONFIG SET loglevel warning\r\n");
    logging.program.signal("-TERM");
    assert!(logging.program.ended().success());
    assert!(!logging.directory.join("nr.pid").exists(), "the pidfile is gone with it");
    let text = logging.read("nr.log");
    assert!(text.contains(&format!("listens at {}\n", logging.program.address)), "{text}");
    assert!(text.contains("is ready to accept connections, PID: "), "{text}");
    assert!(text.contains(" verbose: client ") && !text.contains("signal"), "{text}");
    let error = refused(&["--port", "0", "--logfile", "/nowhere/nr.log"]);
    assert!(error.contains("can't open the log file /nowhere/nr.log"), "{error}");
}

#[test]
fn a_hangup_opens_the_log_again_and_does_not_end_it() {
    let mut logging = Logging::start("hangup");
    logging.is_told("CONFIG SET loglevel verbose\r\n");
    std::fs::rename(logging.directory.join("nr.log"), logging.directory.join("old.log")).expect("it can be renamed");
    logging.is_told("SET a 1\r\n");
    logging.program.signal("-HUP");
    logging.eventually("there is a new log", || logging.directory.join("nr.log").exists());
    logging.is_told("SET b 1\r\n");
    logging.eventually("the new log is written to", || logging.read("nr.log").contains(" verbose: client "));
    assert!(logging.read("old.log").contains(" verbose: client "), "what came before is in the old one");
    // Where it can't be opened, the present one goes on.
    std::fs::rename(&logging.directory, logging.directory.with_extension("moved")).expect("it can be renamed");
    logging.program.signal("-HUP");
    logging.directory.set_extension("moved");
    logging.eventually("it is told", || logging.read("nr.log").contains("can't open the log file again"));
    logging.program.signal("-TERM");
    assert!(logging.program.ended().success());

    let mut program = Program::start(&[]);
    program.signal("-HUP");
    assert_eq!(ask(&program, "PING\r\n"), "+PONG\r\n+OK\r\n");
    program.signal("-TERM");
    assert!(program.ended().success());
}

/// Sends commands and then `QUIT`; gives what is answered until the end.
fn ask(program: &Program, request: &str) -> String {
    let mut client = program.connect();
    client.write_all(request.as_bytes()).expect("it takes a request");
    client.write_all(b"QUIT\r\n").expect("it takes a request");
    let mut reply = String::new();
    client.read_to_string(&mut reply).expect("it replies");
    reply
}

/// A number in a section of `INFO`.
fn info(program: &Program, section: &str, name: &str) -> u64 {
    let text = ask(program, &format!("INFO {section}\r\n"));
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::to_owned));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("it is a number")
}

#[test]
fn a_pipeline_of_writes_does_not_go_past_the_limit_of_memory() {
    const MIB: u64 = 1 << 20;
    // Each takes 4 MiB, though it has a few bytes.
    let writes: [fn(u64) -> String; 2] =
        [|index| format!("SETRANGE key{index} 4194303 x\r\n"), |index| format!("COPY source key{index}\r\n")];
    for write in writes {
        let program = Program::start(&["--replicas", "1"]);
        ask(&program, "SETRANGE source 4194303 x\r\n");
        let before = info(&program, "memory", "used_memory");
        ask(&program, &format!("CONFIG SET maxmemory {}\r\n", before + 16 * MIB));
        let replies = ask(&program, &(0..64).map(write).collect::<String>());
        let refused = replies.lines().filter(|line| line.starts_with("-OOM")).count();
        assert!((59..=61).contains(&refused), "{refused} of 64 were refused: {replies}");
        let used = info(&program, "memory", "used_memory") - before;
        assert!(used < 24 * MIB, "{used} bytes more are in use");
    }
}

#[test]
fn replies_that_are_not_read_make_room_for_themselves() {
    let program = Program::start(&["--maxmemory-policy", "allkeys-random"]);
    ask(&program, "DEBUG POPULATE 1000 key 10000\r\n");
    let limit = info(&program, "memory", "used_memory") + (4 << 20);
    ask(&program, &format!("CONFIG SET maxmemory {limit}\r\n"));
    assert_eq!(info(&program, "stats", "evicted_keys"), 0);
    let mut deaf = program.connect();
    deaf.write_all("GET key:1\r\n".repeat(5000).as_bytes()).expect("it takes requests");
    let patience = Instant::now() + Duration::from_secs(20);
    while info(&program, "stats", "evicted_keys") == 0 {
        assert!(Instant::now() < patience, "no key has made room");
        std::thread::sleep(Duration::from_millis(5));
    }
    // They are small, but the transaction would be refused if there were no room.
    assert!(ask(&program, "SET small 1\r\n").starts_with("+OK"));
}

#[test]
fn shutdown_ends_it() {
    let mut program = Program::start(&[]);
    program.connect().write_all(b"SHUTDOWN NOSAVE\r\n").unwrap();
    assert!(program.ended().success());
}

#[test]
fn an_idle_server_uses_no_processor_time() {
    let program = Program::start(&[]);
    let mut clients: Vec<TcpStream> = (0..20).map(|_| program.connect()).collect();
    for client in &mut clients {
        client.write_all(b"PING\r\n").unwrap();
        client.read_exact(&mut [0; 7]).unwrap();
    }
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", program.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_secs(2));
    // A loop that is not asleep would have used some 200 ticks for each worker.
    assert!(ticks() - before <= 5, "{} ticks in 2 s", ticks() - before);
}

#[test]
fn what_is_wrong_is_named() {
    assert!(refused(&["--no-such-thing", "1"]).contains("no-such-thing"));
    assert!(refused(&["--maxmemory", "lots"]).contains("maxmemory"));
    assert!(refused(&["--bind", "nowhere.invalid"]).contains("nowhere.invalid"));
    assert!(refused(&["/no/such/file.conf"]).contains("/no/such/file.conf"));

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = refused(&["--bind", "127.0.0.1", "--port", &port]);
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
}

#[test]
fn few_descriptors_are_lived_with() {
    let script = format!("ulimit -n 100; exec {PROGRAM} --port 0 --bind 127.0.0.1 --workers 2");
    let mut child = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let warning = lines.next().unwrap();
    assert!(warning.contains("warning: the system permits 100 open files"), "{warning}");
    assert!(warning.contains("maxclients"), "{warning}");
    let line = lines.next().unwrap();
    let mut program = Program { child, address: line.trim().rsplit(' ').next().unwrap().parse().unwrap() };
    // More than there are descriptors for.
    let streams: Vec<TcpStream> = (0..150).map(|_| program.connect()).collect();
    let mut first = &streams[0];
    first.write_all(b"PING\r\n").unwrap();
    first.read_exact(&mut [0; 7]).unwrap();
    drop(streams);
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let mut stream = program.connect();
        let mut reply = [0; 7];
        if stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut reply).is_ok() && reply == *b"+PONG\r\n" {
            break;
        }
        assert!(Instant::now() < patience, "it never accepts connections again");
    }
    program.signal("-TERM");
    assert!(program.ended().success());
}

#[test]
fn help_and_version_are_answered() {
    for (flag, expected) in [("--help", "--maxmemory"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = Command::new(PROGRAM).arg(flag).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains(expected), "{flag}");
    }
}

#[test]
fn a_file_is_read_and_flags_win() {
    let path = std::env::temp_dir().join(format!("nr-server-{}.conf", std::process::id()));
    std::fs::write(&path, "# a comment\nmaxclients 7\ntimeout 5\nrequirepass \"a b\"\n").unwrap();
    let program = {
        let mut child = Command::new(PROGRAM)
            .arg(&path)
            .args(["--port", "0", "--bind", "127.0.0.1", "--timeout", "9"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Program { child, address: line.trim().rsplit(' ').next().unwrap().parse().unwrap() }
    };
    std::fs::remove_file(&path).unwrap();
    let mut client = program.connect();
    client.write_all(b"AUTH \"a b\"\r\nCONFIG GET maxclients\r\nCONFIG GET timeout\r\nQUIT\r\n").unwrap();
    let mut replies = String::new();
    client.read_to_string(&mut replies).unwrap();
    assert_eq!(replies, "+OK\r\n*2\r\n$10\r\nmaxclients\r\n$1\r\n7\r\n*2\r\n$7\r\ntimeout\r\n$1\r\n9\r\n+OK\r\n");
}

#[test]
fn redis_cli_works_unchanged() {
    let program = Program::start(&[]);
    for (arguments, expected) in [
        (&["SET", "a", "1"][..], "OK\n"),
        (&["INCR", "a"], "2\n"),
        (&["-3", "HSET", "h", "f", "v"], "1\n"),
        (&["-3", "HGETALL", "h"], "f v\n"),
        (&["--bigkeys"], "Biggest"),
        (&["--scan"], "a\n"),
    ] {
        let Some(output) = program.tool("redis-cli", arguments) else { return };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}");
        let same = if arguments.contains(&"HGETALL") { text.contains('f') } else { text.contains(expected) };
        assert!(same, "{arguments:?}: {text}");
    }
}

#[test]
fn redis_benchmark_works_unchanged() {
    let program = Program::start(&[]);
    for pipeline in ["1", "16"] {
        let arguments = ["-n", "2000", "-P", pipeline, "-q", "-r", "1000", "--csv"];
        let Some(output) = program.tool("redis-benchmark", &arguments) else { return };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        for test in ["PING_INLINE", "SET", "GET", "LPUSH", "SPOP", "ZPOPMIN", "LRANGE_600", "MSET (10 keys)"] {
            assert!(text.contains(&format!("\"{test}")), "{test} is missing in {text}");
        }
    }
}
