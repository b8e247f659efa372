//! An HTTP server with a known answer: it stops serving for a set time in every period, or does to
//! every n-th request what its script says, and logs when.

mod agenda;
mod connection;
mod ledger;
mod options;
mod script;
mod server;
mod timeline;

use std::process::ExitCode;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}");
            eprintln!(
                "hint: pausemark-freeze --address A --port P --freeze-us N --every-us N \
                 --body-bytes N --log FILE; of a script --slow-one-in N --slow-us N \
                 --drop-one-in N --reset-one-in N --cut-one-in N --finish-one-in N \
                 --first-byte-us N --last-byte-us N --serve-rps N"
            );
            return ExitCode::from(2);
        }
    };
    match server::serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}:{}: {error}", options.address, options.port);
            eprintln!("hint: give a free port and a log file that can be written");
            ExitCode::from(4)
        }
    }
}
