//! Whom the engine asks, and who signs.

use crate::fault::Fault;
use crate::signing::{Credentials, Payload, Signer};
use serde::Deserialize;
use std::net::IpAddr;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub address: IpAddr,
    pub port: u16,
    /// The Host header; `address:port` when absent.
    pub host: Option<String>,
    /// GET this instead of the scenario's objects.
    pub path: Option<String>,
    /// Who signs the requests; nobody when absent.
    pub credentials: Option<Credentials>,
    pub payload: Option<Payload>,
}

impl Target {
    /// Signs for this target and Host; none where nothing is signed.
    #[must_use]
    pub fn signer(&self, host: &[u8]) -> Option<Signer> {
        let credentials = self.credentials.as_ref()?;
        Some(Signer::new(
            credentials,
            self.payload.unwrap_or_default(),
            host,
        ))
    }

    /// Refuses what cannot be asked.
    ///
    /// # Errors
    /// The first key that is wrong, under `target.`.
    pub fn validate(&self) -> Result<(), Fault> {
        self.validate_signing()?;
        if self.port == 0 {
            return Err(Fault::usage("target.port", "out of range", "1 to 65535", 0));
        }
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if let Some(host) = self.host.as_deref().filter(|host| !visible(host)) {
            let expected = "visible ASCII without spaces";
            return Err(Fault::usage(
                "target.host",
                "bad host",
                expected,
                format!("{host:?}"),
            ));
        }
        match self.path.as_deref() {
            Some(path) if !visible(path) || !path.starts_with('/') || path.len() > 8192 => {
                let expected = "'/' and visible ASCII, at most 8192 bytes";
                Err(Fault::usage(
                    "target.path",
                    "bad path",
                    expected,
                    format!("{path:?}"),
                ))
            }
            _ => Ok(()),
        }
    }

    fn validate_signing(&self) -> Result<(), Fault> {
        match (&self.credentials, self.payload) {
            (Some(credentials), _) => credentials.validate(),
            (None, None) => Ok(()),
            (None, Some(payload)) => {
                let expected = "it only with target.credentials";
                let found = format!("{payload:?}");
                Err(Fault::usage(
                    "target.payload",
                    "no use for it",
                    expected,
                    found,
                ))
            }
        }
    }
}
