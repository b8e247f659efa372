//! The flags: every one has a default, and an unknown one is refused by name.

use crate::script::Script;
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
    /// What happens to which request.
    pub script: Script,
    pub log: Option<PathBuf>,
}

const BODY_BYTES_MAX: usize = 1 << 20;
const SPAN_MAX: Duration = Duration::from_secs(3600);
const SERVE_RPS_MAX: u64 = 1_000_000;

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
        script: Script::default(),
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
            _ => set_script(&mut options.script, &flag, &value)?,
        }
    }
    check(options)
}

fn set_script(script: &mut Script, flag: &str, value: &str) -> Result<(), String> {
    let one_in = match flag {
        "--slow-one-in" => &mut script.slow_one_in,
        "--drop-one-in" => &mut script.drop_one_in,
        "--reset-one-in" => &mut script.reset_one_in,
        "--cut-one-in" => &mut script.cut_one_in,
        "--finish-one-in" => &mut script.finish_one_in,
        "--serve-rps" => &mut script.serve_rps,
        _ => {
            let span = match flag {
                "--slow-us" => &mut script.slow,
                "--first-byte-us" => &mut script.first_byte,
                "--last-byte-us" => &mut script.last_byte,
                _ => return Err(format!("{flag}: no such flag")),
            };
            *span = Duration::from_micros(number(flag, value)?);
            return Ok(());
        }
    };
    *one_in = number(flag, value)?;
    Ok(())
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
    let script = &options.script;
    if (script.slow_one_in > 0) == script.slow.is_zero() {
        return Err("--slow-one-in: expected together with --slow-us, both above 0".to_owned());
    }
    let spans = [script.slow, script.first_byte, script.last_byte];
    if spans.iter().any(|span| *span > SPAN_MAX) {
        return Err(format!(
            "--slow-us, --first-byte-us, --last-byte-us: at most {SPAN_MAX:?}"
        ));
    }
    if script.serve_rps > SERVE_RPS_MAX {
        return Err(format!("--serve-rps: expected at most {SERVE_RPS_MAX}"));
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
    fn a_script_is_read_whole() {
        let text = "--port 80 --slow-one-in 100 --slow-us 20000 --drop-one-in 7 --reset-one-in 8 \
                    --cut-one-in 9 --finish-one-in 10 --first-byte-us 1 --last-byte-us 2 \
                    --serve-rps 800";
        let script = parse(words(text)).map(|options| options.script).unwrap();
        assert_eq!((script.slow_one_in, script.drop_one_in), (100, 7));
        assert_eq!((script.reset_one_in, script.cut_one_in), (8, 9));
        assert_eq!((script.finish_one_in, script.serve_rps), (10, 800));
        assert_eq!(script.slow, std::time::Duration::from_millis(20));
        let spans = (script.first_byte.as_micros(), script.last_byte.as_micros());
        assert_eq!(spans, (1, 2));
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
            ("--port 80 --slow-one-in 100", "together with --slow-us"),
            ("--port 80 --slow-us 100", "together with --slow-us"),
            ("--port 80 --drop-one-in -1", "expected a whole number"),
            ("--port 80 --first-byte-us 3600000001", "at most"),
            ("--port 80 --serve-rps 1000001", "at most"),
        ] {
            let error = parse(words(text)).err().unwrap_or_default();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
