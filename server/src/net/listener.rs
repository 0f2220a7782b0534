//! The sockets that connections come from.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use socket2::{Domain, Protocol, Socket, Type};

/// The address at which the server could not listen, and why.
#[derive(Debug)]
pub struct ListenError {
    /// The address as configured.
    pub address: String,
    /// The port.
    pub port: u16,
    /// The reason.
    pub reason: io::Error,
}

/// Listens at `port` of each address: an IP address, `*` for all of IPv4, `::*` for all of IPv6. One that starts with `-`
/// may be missing on this machine. If `port` is 0 the first address picks a free one for all.
///
/// # Errors
///
/// If an address can't be listened at, or none is left.
pub fn listen(addresses: &[String], port: u16, backlog: u32) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::new();
    let mut chosen = port;
    for name in addresses {
        let (optional, name) = match name.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, name.as_str()),
        };
        let result = parse(name).and_then(|address| bind(SocketAddr::new(address, chosen), backlog));
        match result {
            Ok(listener) => {
                if chosen == 0 {
                    chosen = listener.local_addr().map_or(0, |address| address.port());
                }
                listeners.push(listener);
            }
            Err(reason) if optional && is_missing(&reason) => {}
            Err(reason) => return Err(ListenError { address: name.to_string(), port: chosen, reason }),
        }
    }
    if listeners.is_empty() {
        let reason = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address to listen at");
        return Err(ListenError { address: addresses.join(" "), port, reason });
    }
    Ok(listeners)
}

fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // An address of IPv4 is listened at by a socket of its own.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(TcpListener::from_std(socket.into()))
}

fn parse(name: &str) -> io::Result<IpAddr> {
    match name {
        "*" => Ok(IpAddr::from([0; 4])),
        "::*" => Ok(IpAddr::from([0; 16])),
        name => name.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "this is not an IP address")),
    }
}

/// Whether the machine has no such address or protocol family, which is no fault of an optional address.
fn is_missing(reason: &io::Error) -> bool {
    matches!(reason.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || reason.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// Has the kernel ask a silent client every `seconds` whether it is still there; 0 doesn't.
pub fn keep_alive(stream: &TcpStream, seconds: u32) {
    if seconds == 0 {
        return;
    }
    let socket = socket2::SockRef::from(stream);
    let every = Duration::from_secs(u64::from(seconds));
    let probing = socket2::TcpKeepalive::new().with_time(every).with_interval(every / 3).with_retries(3);
    // A socket without it serves as well.
    let _ = socket.set_tcp_keepalive(&probing);
}
