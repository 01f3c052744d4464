//! The other end: this machine's devices, served to whoever has the token.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Result;
use burn::tensor::Device;

#[cfg(not(feature = "remote"))]
use crate::error::hinted;

/// Where a worker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// `ws://ADDRESS:PORT`; port 0 is any that is free. Not encrypted.
    WebSocket(String),
    /// `iroh:PORT`, UDP, on every interface; authenticated and encrypted.
    Iroh(u16),
}

/// Words that say of no place to listen at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no place to listen at; it must be iroh:PORT or ws://ADDRESS:PORT")]
pub struct ListenError(String);

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(words: &str) -> Result<Self, ListenError> {
        if let Some(place) = words.strip_prefix("ws://")
            && place
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        {
            return Ok(Self::WebSocket(place.to_owned()));
        }
        let port = words.strip_prefix("iroh:").and_then(|port| port.parse().ok()).filter(|&port| port > 0);
        port.map(Self::Iroh).ok_or_else(|| ListenError(words.to_owned()))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WebSocket(place) => write!(f, "ws://{place}"),
            Self::Iroh(port) => write!(f, "iroh:{port}"),
        }
    }
}

/// How a worker serves.
#[derive(Clone, Debug)]
pub struct Serving {
    /// Where.
    pub listen: Listen,
    /// What a client must know.
    pub token: String,
    /// The worker's key, made where there is none; over Iroh only.
    pub key_file: PathBuf,
    /// `public`, `disabled` or a URL; over Iroh only.
    pub relays: Option<String>,
}

/// Refuses: burn's server is not in this binary.
///
/// # Errors
/// Always.
#[cfg(not(feature = "remote"))]
pub fn serve(
    _devices: Vec<Device>,
    _serving: &Serving,
    _ready: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    Err(hinted(
        "this binary was built without remote devices",
        "build it with `cargo build --release -p bert-xml-trainer --features remote`",
    ))
}

/// Serves devices of one backend until the process ends; `ready` is told what `--device remote:` takes there.
///
/// # Errors
/// A port that is taken, a key that cannot be read, devices of several backends.
#[cfg(feature = "remote")]
pub fn serve(devices: Vec<Device>, serving: &Serving, ready: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    use anyhow::Context as _;
    use burn::server::{
        AuthorizationRequest, IrohIdentity, IrohTransport, PeerAuthorizer, RemoteServer, ServerLogging,
        TokenAuthorizer, Transport, WebSocketTransport,
    };

    let token = TokenAuthorizer::new(serving.token.as_str())?;
    let transport: Transport = match &serving.listen {
        Listen::WebSocket(place) => {
            let listener =
                std::net::TcpListener::bind(place).with_context(|| format!("listening at {place}"))?;
            ready(&format!("ws://{}", listener.local_addr()?))?;
            WebSocketTransport::from_listener(listener).into()
        }
        Listen::Iroh(port) => {
            let identity = IrohIdentity::load_or_create(&serving.key_file)
                .with_context(|| format!("the worker's key {}", serving.key_file.display()))?;
            let relays = super::connect::relays(serving.relays.as_deref())?;
            let transport = IrohTransport::new(identity).with_relays(relays).with_port(*port);
            ready(&format!(
                "{}@{}:{port}",
                transport.id(),
                sysinfo::System::host_name().unwrap_or_default()
            ))?;
            transport.into()
        }
    };
    // burn's own log, to standard output, only where it is asked for.
    if std::env::var_os("RUST_LOG").is_some() {
        ServerLogging::install();
    }
    let server = RemoteServer::new(devices).with_authorizer(move |request: AuthorizationRequest<'_>| {
        let who = format!("{}, device {}", request.client, request.device_index);
        let answer = token.authorize(request);
        match &answer {
            Ok(()) => crate::talk::say(&format!("session of {who}")),
            Err(_) => crate::talk::warn(&format!("refused, without the token: {who}")),
        }
        answer
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting threads")?;
    runtime.block_on(server.serve_async(transport)).with_context(|| format!("serving at {}", serving.listen))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_listen_at_are_read_and_written() {
        for words in ["ws://0.0.0.0:3000", "ws://[::1]:0", "iroh:4433"] {
            assert_eq!(words.parse::<Listen>().unwrap().to_string(), words);
        }
        for words in ["", "3000", "ws://:3000", "ws://node", "iroh:0", "iroh:port", "http://a:1"] {
            assert!(words.parse::<Listen>().is_err(), "{words}");
        }
    }
}
