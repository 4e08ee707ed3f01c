//! Opens many connections that send little or nothing.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocket::tokio::net::TcpSocket;
use rocket::tokio::runtime;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// The number of descriptors that other tests and programs need beside a crowd.
const RESERVE: u64 = 2000;

/// The right to open a crowd of connections, which only one test has at a time.
pub(crate) struct Room {
    /// The number of connections that the test may open.
    pub(crate) count: u16,
    _turn: MutexGuard<'static, ()>,
}

/// Waits for the right to open this number of connections, or as many as this machine allows a process.
/// Prints a line if that is fewer.
#[expect(clippy::print_stderr, reason = "a reduced test prints the reason")]
pub(crate) fn room_for(wanted: u16) -> Room {
    static TURN: Mutex<()> = Mutex::new(());
    // A poisoned lock does not matter, since a failed test leaves no crowd behind.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let count = u16::try_from(most.saturating_sub(RESERVE)).unwrap_or(u16::MAX).min(wanted);
    if count < wanted {
        eprintln!("{count} connections instead of {wanted}: a process may have {most} files open");
    }
    Room { count, _turn: turn }
}

/// Limits the number of files that a process may have open.
pub(crate) fn limit_files(process: u32, most: u64) {
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    let process = Pid::from_raw(i32::try_from(process).unwrap());
    prlimit(process, Resource::Nofile, limit).unwrap();
}

/// Returns the `n`th of the addresses of this machine that no other test uses.
pub(crate) fn address(n: u16) -> Ipv4Addr {
    let [high, low] = n.to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

/// Opens this number of connections, fifty from each address, and sends the first bytes on each.
pub(crate) fn crowd(port: u16, count: u16, first: &[u8]) -> Vec<TcpStream> {
    (0..count).map(|n| connect(address(n / 50), port, first).unwrap()).collect()
}

/// Connects from this address, and sends the first bytes.
///
/// # Errors
///
/// When the other side refuses the connection quickly.
pub(crate) fn connect(from: Ipv4Addr, port: u16, first: &[u8]) -> io::Result<TcpStream> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let mut stream = runtime.block_on(async {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        stream.into_std()
    })?;
    stream.write_all(first)?;
    Ok(stream)
}

/// Checks whether the other side has closed the connection.
pub(crate) fn is_cut_off(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    loop {
        return match stream.read(&mut [0; 1024]) {
            Ok(0) => true,
            Ok(_) => continue,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
    }
}

/// Returns the resident memory of a process in KiB, and the number of its open files.
pub(crate) fn taken_by(process: u32) -> (u64, usize) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let memory = memory.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
    (memory.unwrap(), files)
}
