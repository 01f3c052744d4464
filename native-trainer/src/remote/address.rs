//! Where a worker is found: `ws://HOST:PORT` on a trusted network, or an Iroh id with an address to dial.

use std::fmt;
use std::str::FromStr;

/// Hexadecimal digits of an Iroh id.
const ID_DIGITS: usize = 64;

/// A device of a worker, as `--device remote:…` names it.
///
/// Named once, on the command line, and kept to the end of the process: so it can be copied like any other device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteAddress {
    /// The worker, without an index.
    worker: &'static str,
    /// Which of its devices, counted from 0.
    index: usize,
}

/// A worker as a connection needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Its URL. Not encrypted.
    WebSocket(&'static str),
    /// Authenticated and encrypted.
    Iroh {
        /// The public half of the worker's key, in hexadecimal.
        id: &'static str,
        /// `HOST:PORT` to dial; a relay finds the worker otherwise.
        dial: Option<&'static str>,
    },
}

/// Words that name no worker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no worker's address; it must be ws://HOST:PORT or ID@HOST:PORT, with #INDEX for one of its devices"
)]
pub struct AddressError(String);

impl FromStr for RemoteAddress {
    type Err = AddressError;

    fn from_str(words: &str) -> Result<Self, AddressError> {
        let error = || AddressError(words.to_owned());
        let (worker, index) = match words.rsplit_once('#') {
            Some((worker, index)) => (worker, index.parse().map_err(|_| error())?),
            None => (words, 0),
        };
        let fits = match worker.strip_prefix("ws://") {
            Some(place) => is_host_and_port(place),
            None => {
                let (id, dial) = worker.split_once('@').map_or((worker, None), |(id, dial)| (id, Some(dial)));
                let id_fits = id.len() == ID_DIGITS && id.bytes().all(|digit| digit.is_ascii_hexdigit());
                id_fits && dial.is_none_or(is_host_and_port)
            }
        };
        if !fits {
            return Err(error());
        }
        Ok(Self { worker: Box::leak(worker.to_owned().into_boxed_str()), index })
    }
}

fn is_host_and_port(place: &str) -> bool {
    place.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

impl RemoteAddress {
    /// The worker.
    pub fn worker(self) -> Worker {
        if self.worker.starts_with("ws://") {
            return Worker::WebSocket(self.worker);
        }
        let (id, dial) =
            self.worker.split_once('@').map_or((self.worker, None), |(id, dial)| (id, Some(dial)));
        Worker::Iroh { id, dial }
    }

    /// Which of the worker's devices, counted from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// Whether nobody on the way can read along.
    pub fn is_encrypted(self) -> bool {
        matches!(self.worker(), Worker::Iroh { .. })
    }

    /// Whether both are devices of one worker: of one process, which has one stream of random numbers.
    pub fn same_worker(self, other: Self) -> bool {
        match (self.worker(), other.worker()) {
            (Worker::Iroh { id, .. }, Worker::Iroh { id: other, .. }) => id == other,
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.worker)?;
        if self.index > 0 { write!(f, "#{}", self.index) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let id = "0f".repeat(32);
        let dialled = format!("{id}@node7:4433#3");
        for words in ["ws://127.0.0.1:3000", "ws://[::1]:3000#2", &id, &dialled] {
            assert_eq!(words.parse::<RemoteAddress>().unwrap().to_string(), words);
        }
        let found: RemoteAddress = dialled.parse().unwrap();
        assert_eq!(found.index(), 3);
        let worker = Worker::Iroh { id: Box::leak(id.clone().into_boxed_str()), dial: Some("node7:4433") };
        assert_eq!(found.worker(), worker);
        for words in
            ["", "ws://", "ws://node", "ws://node:port", "ws://:1", "node:1", "abc@node:1", "ws://a:1#x"]
        {
            assert!(words.parse::<RemoteAddress>().is_err(), "{words}");
        }
        assert!(format!("{id}@node7").parse::<RemoteAddress>().is_err());
    }

    #[test]
    fn a_worker_is_the_same_whatever_the_index_and_the_way_there() {
        let address = |words: &str| words.parse::<RemoteAddress>().unwrap();
        assert!(address("ws://a:1").same_worker(address("ws://a:1#1")));
        assert!(!address("ws://a:1").same_worker(address("ws://a:2")));
        let id = "ab".repeat(32);
        assert!(address(&id).same_worker(address(&format!("{id}@b:1#1"))));
    }
}
