//! The real Redis, to compare with.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::{Client, PATIENCE};

/// A `redis-server` that persists nothing; it ends when it is dropped.
pub struct RealRedis {
    process: Child,
    address: SocketAddr,
    directory: PathBuf,
}

impl RealRedis {
    /// Starts it with further arguments; `None`, and a line that says so, where none is installed.
    pub fn start(arguments: &[&str]) -> Option<RealRedis> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        // Relaxed: the number only has to be unique.
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let directory = std::env::temp_dir().join(format!("real-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("the directory for temporary files can be written to");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let port = address.port().to_string();
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
            .args(["--enable-debug-command", "yes", "--dir"])
            .arg(&directory)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = spawned else {
            println!("there is no redis-server on this machine: the comparison with it is skipped");
            // Nothing is in it.
            let _ = std::fs::remove_dir(&directory);
            return None;
        };
        let redis = RealRedis { process, address, directory };
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(redis)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection to it.
    pub fn client(&self) -> Client {
        Client::connect(self.address)
    }
}

impl Drop for RealRedis {
    fn drop(&mut self) {
        // It may have ended by itself, and its directory is for the system to clean up if this fails.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the system has a free port");
    listener.local_addr().expect("a listener has an address").port()
}
