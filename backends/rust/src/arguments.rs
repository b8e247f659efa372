//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::log::{Durability, Settings};
use crate::s3::Credentials;
use crate::serve::Stack;

const THREADS_MAX: usize = 1024;
const SYNC_INTERVAL_MS_MAX: u64 = 60_000;
const SEGMENT_BYTES_MIN: u64 = 4096;
const SEGMENT_BYTES_MAX: u64 = 1 << 32;
const DURABILITIES: &str = "ram, buffered, interval, batch or sync";

/// What the flags say, and their defaults.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub address: SocketAddr,
    pub threads: usize,
    pub stack: Stack,
    pub object_bytes_max: u64,
    pub store_bytes_max: u64,
    /// Who may sign; `None` when signatures are not verified.
    pub credentials: Option<Credentials>,
    pub log: Settings,
    pub version: bool,
}

/// Reads `--name value` and `--name=value`; the error is a sentence for the user.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut port = 9000;
    let mut arguments = Arguments {
        address: SocketAddr::new(address, port),
        threads: 1,
        stack: Stack::Hyper,
        object_bytes_max: 64 << 20,
        store_bytes_max: 4 << 30,
        credentials: None,
        log: Settings {
            durability: Durability::Ram,
            directory: PathBuf::new(),
            sync_interval: Duration::from_millis(100),
            segment_bytes: 64 << 20,
            log_bytes_max: 8 << 30,
        },
        version: false,
    };
    let mut auth = Auth::default();
    let mut words = words;
    while let Some(word) = words.next() {
        if word == "--version" {
            arguments.version = true;
            continue;
        }
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        let mut next = || value.clone().or_else(|| words.next());
        match name.as_str() {
            "--address" => address = read(&name, "an IP address", next(), |_| true)?,
            "--port" => port = read(&name, "1 to 65535", next(), |port| *port > 0)?,
            "--threads" => {
                let range = 1..=THREADS_MAX;
                arguments.threads = read(&name, "1 to 1024", next(), |n| range.contains(n))?;
            }
            "--object-bytes-max" => {
                arguments.object_bytes_max = read(&name, "a number of bytes", next(), |_| true)?;
            }
            "--store-bytes-max" => {
                arguments.store_bytes_max = read(&name, "a number of bytes", next(), |_| true)?;
            }
            "--stack" => arguments.stack = read_stack(next().as_deref())?,
            "--auth" => auth.is_verifying = read_auth(next().as_deref())?,
            "--credential" => read_credential(&mut auth.credentials, next())?,
            _ => read_log_flag(&mut arguments.log, &name, next())?,
        }
    }
    arguments.address = SocketAddr::new(address, port);
    arguments.credentials = auth.judged()?;
    if arguments.log.durability != Durability::Ram && arguments.log.directory.as_os_str().is_empty()
    {
        return Err("--data-directory: expected a directory for the log, got nothing".into());
    }
    Ok(arguments)
}

/// What the flags say of signatures, one by one.
#[derive(Default)]
struct Auth {
    is_verifying: bool,
    credentials: Credentials,
}

impl Auth {
    fn judged(self) -> Result<Option<Credentials>, String> {
        match (self.is_verifying, self.credentials.is_empty()) {
            (false, _) => Ok(None),
            (true, false) => Ok(Some(self.credentials)),
            (true, true) => Err("--auth=verify: expected a --credential, got none".into()),
        }
    }
}

fn read_stack(value: Option<&str>) -> Result<Stack, String> {
    match value {
        Some("hyper") => Ok(Stack::Hyper),
        Some("h2") => Ok(Stack::H2),
        Some("mio") => Ok(Stack::Mio),
        other => Err(format!("--stack: expected hyper, h2 or mio, got {:?}", other.unwrap_or(""))),
    }
}

fn read_auth(value: Option<&str>) -> Result<bool, String> {
    match value {
        Some("parse") => Ok(false),
        Some("verify") => Ok(true),
        other => Err(format!("--auth: expected parse or verify, got {:?}", other.unwrap_or(""))),
    }
}

/// The message never holds the value: it may be a secret.
fn read_credential(credentials: &mut Credentials, value: Option<String>) -> Result<(), String> {
    let is_good = value.is_some_and(|text| credentials.add(&text));
    let error = || "--credential: expected ID:SECRET, got a value without one or the other".into();
    is_good.then_some(()).ok_or_else(error)
}

fn read_log_flag(log: &mut Settings, name: &str, value: Option<String>) -> Result<(), String> {
    match name {
        "--durability" => {
            let text = value.ok_or(format!("{name}: expected {DURABILITIES}, got nothing"))?;
            let known = text.parse();
            log.durability =
                known.map_err(|()| format!("{name}: expected {DURABILITIES}, got {text:?}"))?;
        }
        "--data-directory" => log.directory = read(name, "a directory", value, |_| true)?,
        "--sync-interval-ms" => {
            let range = 1..=SYNC_INTERVAL_MS_MAX;
            let ms = read(name, "1 to 60000 milliseconds", value, |ms| range.contains(ms))?;
            log.sync_interval = Duration::from_millis(ms);
        }
        "--segment-bytes" => {
            let range = SEGMENT_BYTES_MIN..=SEGMENT_BYTES_MAX;
            log.segment_bytes =
                read(name, "4096 to 4294967296 bytes", value, |bytes| range.contains(bytes))?;
        }
        "--log-bytes-max" => log.log_bytes_max = read(name, "a number of bytes", value, |_| true)?,
        other => return Err(format!("expected a known flag, got {other:?}")),
    }
    Ok(())
}

fn read<T: FromStr>(
    name: &str,
    expected: &str,
    value: Option<String>,
    good: impl Fn(&T) -> bool,
) -> Result<T, String> {
    let text = value.ok_or_else(|| format!("{name}: expected {expected}, got nothing"))?;
    let parsed = text.parse().ok().filter(good);
    parsed.ok_or_else(|| format!("{name}: expected {expected}, got {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Arguments, String> {
        parse(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn both_forms_of_a_flag_are_read() {
        let read = of(&["--port", "80", "--threads=3", "--address", "::1"]).unwrap();
        assert_eq!((read.address.to_string(), read.threads), ("[::1]:80".into(), 3));
    }

    #[test]
    fn credentials_are_told_only_by_their_id() {
        let read = of(&["--auth=verify", "--credential=a:b=c:d", "--credential", "e:f"]).unwrap();
        let credentials = read.credentials.unwrap();
        assert_eq!((credentials.secret("a"), credentials.secret("g")), (Some("b=c:d"), None));
        assert_eq!(format!("{credentials:?}"), r#"{"a", "e"}"#);
        assert_eq!(of(&["--auth=parse", "--credential=a:b"]).unwrap().credentials, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for words in [
            &["--auth=no"][..],
            &["--stack=no"],
            &["--auth=verify"],
            &["--credential=:a"],
            &["--auth"],
        ] {
            assert!(of(words).unwrap_err().contains("expected"), "{words:?}");
        }
        for words in [&["--durability=batch"][..], &["--durability=often"], &["--segment-bytes=1"]]
        {
            assert!(of(words).unwrap_err().contains("expected"), "{words:?}");
        }
        for words in [&["--port"][..], &["--port", "0"], &["--threads=0"], &["x"], &["--no"]] {
            assert!(of(words).unwrap_err().contains("expected"), "{words:?}");
        }
    }
}
