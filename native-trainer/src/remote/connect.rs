//! A connection to a worker's device.

use anyhow::Result;
use burn::tensor::Device;

use super::address::RemoteAddress;
use crate::error::hinted;

#[cfg(not(feature = "remote"))]
pub(crate) fn connect(address: RemoteAddress) -> Result<Device> {
    Err(hinted(
        format!("device remote:{address}: this binary was built without remote devices"),
        "build it with `cargo build --release -p bert-xml-trainer --features remote`, or use --device cpu",
    ))
}

/// Opens a session; a worker that is not there yet is waited for, up to 16 seconds.
#[cfg(feature = "remote")]
pub(crate) fn connect(address: RemoteAddress) -> Result<Device> {
    use burn::remote::{ConnectError, RemoteHost};

    use super::address::Worker;
    use super::token::{self, TOKEN_FILE};

    let host = match address.worker() {
        Worker::WebSocket(url) => RemoteHost::websocket(url),
        Worker::Iroh { id, dial } => RemoteHost::iroh(iroh_host(id, dial)?),
    };
    let host = host.with_credential(token::read(None)?.as_str());
    Device::remote_options(&host).device_index(address.index()).init().map_err(|error| {
        let hint = match &error {
            ConnectError::Unauthorized => format!("{TOKEN_FILE} must name the same token on both sides"),
            ConnectError::NoSuchDevice { .. } => {
                "devices are counted from 0 in the worker's --device".to_owned()
            }
            ConnectError::IncompatibleProtocol { .. } => "run the same release on both sides".to_owned(),
            ConnectError::NoAddress => {
                "name one, as in remote:ID@HOST:PORT, or a relay by BERT_XML_RELAYS".to_owned()
            }
            _ => "start `bert-xml worker` there, and let its port through".to_owned(),
        };
        hinted(format!("device remote:{address}: {error}"), hint)
    })
}

/// Where the environment says nothing of relays, nobody but the two machines takes part: no relay, no look-up.
#[cfg(feature = "remote")]
pub(crate) fn relays(word: Option<&str>) -> Result<burn::remote::IrohRelays> {
    let word = word.map(str::to_owned).or_else(|| std::env::var(super::token::RELAYS).ok());
    let Some(word) = word else { return Ok(burn::remote::IrohRelays::Disabled) };
    word.parse().map_err(|error| anyhow::anyhow!("{error}"))
}

#[cfg(feature = "remote")]
fn iroh_host(id: &str, dial: Option<&str>) -> Result<burn::remote::IrohHost> {
    use std::net::ToSocketAddrs as _;

    use anyhow::Context as _;
    use burn::remote::{EndpointId, IrohHost};

    let known: EndpointId = id.parse().map_err(|error| anyhow::anyhow!("{id} is no worker's id: {error}"))?;
    let mut host = IrohHost::new(known).with_relays(relays(None)?);
    if let Some(dial) = dial {
        for address in dial.to_socket_addrs().with_context(|| format!("looking up {dial}"))? {
            host = host.with_address(address);
        }
    }
    Ok(host)
}
