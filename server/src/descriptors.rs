//! How many files, and so how many connections, the system lets the server have open.

use std::fmt;

/// Descriptors that the server needs beside those of its clients.
const OWN: u64 = 64;

/// The system permits fewer clients than are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    /// Files that may be open.
    files: u64,
    /// Clients for which that is enough; one at least.
    pub clients: u32,
}

impl fmt::Display for TooFew {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the system permits {} open files: at most {} clients", self.files, self.clients)
    }
}

/// Has the system permit descriptors for so many clients.
///
/// # Errors
///
/// If it permits fewer; it then permits as many as it does.
pub fn permit(clients: u32) -> Result<(), TooFew> {
    let wanted = u64::from(clients) + OWN;
    // Where the limit can't be asked for, it shows when a connection is accepted.
    let files = rlimit::increase_nofile_limit(wanted).unwrap_or(wanted);
    if files >= wanted {
        return Ok(());
    }
    Err(TooFew { files, clients: files.saturating_sub(OWN).max(1) as u32 })
}
