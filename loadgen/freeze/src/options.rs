//! The flags: every one has a default, and an unknown one is refused by name.

use std::path::PathBuf;
use std::time::Duration;

/// How the server is to behave.
pub struct Options {
    pub address: String,
    pub port: u16,
    /// How long it stops serving; zero: never.
    pub freeze: Duration,
    /// From the beginning of one freeze to that of the next.
    pub every: Duration,
    pub body_bytes: usize,
    pub log: Option<PathBuf>,
}

const BODY_BYTES_MAX: usize = 1 << 20;

/// Reads flags and values in pairs.
///
/// # Errors
///
/// A sentence that names the flag, what was expected and what was found.
pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        address: "127.0.0.1".to_owned(),
        port: 0,
        freeze: Duration::ZERO,
        every: Duration::from_secs(1),
        body_bytes: 128,
        log: None,
    };
    let mut arguments = arguments;
    while let Some(flag) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{flag}: expected a value, got none"))?;
        match flag.as_str() {
            "--address" => options.address = value,
            "--port" => options.port = number(&flag, &value)?,
            "--freeze-us" => options.freeze = Duration::from_micros(number(&flag, &value)?),
            "--every-us" => options.every = Duration::from_micros(number(&flag, &value)?),
            "--body-bytes" => options.body_bytes = number(&flag, &value)?,
            "--log" => options.log = Some(PathBuf::from(value)),
            _ => return Err(format!("{flag}: no such flag")),
        }
    }
    check(options)
}

fn number<T: std::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("{flag}: expected a whole number in range, got {value:?}"))
}

fn check(options: Options) -> Result<Options, String> {
    if options.port == 0 {
        return Err("--port: expected 1 to 65535, got 0".to_owned());
    }
    if options.freeze >= options.every {
        return Err("--freeze-us: expected less than --every-us".to_owned());
    }
    if options.body_bytes > BODY_BYTES_MAX {
        return Err(format!("--body-bytes: expected at most {BODY_BYTES_MAX}"));
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn words(text: &str) -> impl Iterator<Item = String> + '_ {
        text.split_whitespace().map(str::to_owned)
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for (text, said) in [
            ("--port", "expected a value"),
            ("--port x", "expected a whole number"),
            ("--port 0", "1 to 65535"),
            ("--port 80 --nonsense 1", "no such flag"),
            (
                "--port 80 --freeze-us 5 --every-us 5",
                "less than --every-us",
            ),
            ("--port 80 --body-bytes 99999999", "at most"),
        ] {
            let error = parse(words(text)).err().unwrap_or_default();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
