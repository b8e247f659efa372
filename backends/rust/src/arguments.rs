//! The command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

const THREADS_MAX: usize = 1024;

/// What the flags say, and their defaults.
#[derive(Debug, PartialEq, Eq)]
pub struct Arguments {
    pub address: SocketAddr,
    pub threads: usize,
    pub object_bytes_max: u64,
    pub store_bytes_max: u64,
    pub version: bool,
}

/// Reads `--name value` and `--name=value`; the error is a sentence for the user.
pub fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut port = 9000;
    let mut arguments = Arguments {
        address: SocketAddr::new(address, port),
        threads: 1,
        object_bytes_max: 64 << 20,
        store_bytes_max: 4 << 30,
        version: false,
    };
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
            other => return Err(format!("expected a known flag, got {other:?}")),
        }
    }
    arguments.address = SocketAddr::new(address, port);
    Ok(arguments)
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
    fn what_is_wrong_is_named() {
        for words in [&["--port"][..], &["--port", "0"], &["--threads=0"], &["x"], &["--no"]] {
            assert!(of(words).unwrap_err().contains("expected"), "{words:?}");
        }
    }
}
