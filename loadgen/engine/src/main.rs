//! `pausemark-engine`: an open-loop HTTP load generator; the plan on stdin, JSON lines on stdout.

use pausemark_engine::fault::Fault;
use pausemark_engine::out::Out;
use pausemark_engine::plan::Plan;
use pausemark_engine::{bucket, cleanup, hiccup, preload, run, system};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

const USAGE: &str = "run | bucket | preload | cleanup (each < plan.json) | hiccup --cpus 0,1 | \
                     --version | --help";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run"] => work(run::run),
        ["bucket"] => work(bucket::run),
        ["cleanup"] => work(cleanup::cleanup),
        ["preload"] => work(preload::preload),
        ["hiccup", rest @ ..] => hiccup::run(rest),
        ["--version"] => {
            println!("pausemark-engine {}", env!("CARGO_PKG_VERSION"));
            Ok(true)
        }
        ["--help" | "-h"] => {
            println!("pausemark-engine {USAGE}\n\nloadgen/CONTRACT.md describes plan and events.");
            Ok(true)
        }
        other => {
            let fault = Fault::usage("arguments", "not a command", USAGE, format!("{other:?}"));
            Err(fault.hint("see pausemark-engine --help"))
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(fault) => {
            Out::new(Arc::new(AtomicBool::new(false))).event(&fault.event());
            eprintln!("{fault}");
            ExitCode::from(fault.exit_code())
        }
    }
}

/// Reads the plan, arranges the process, and works.
fn work(verb: fn(&Plan, &Arc<AtomicBool>, &Out) -> Result<bool, Fault>) -> Result<bool, Fault> {
    let stop = system::arrange_end()?;
    let plan = Plan::read(std::io::stdin().lock())?;
    system::allow_descriptors(plan.connections, plan.threads)?;
    system::bind_thread(&plan.cpus)?;
    verb(&plan, &stop, &Out::new(Arc::clone(&stop)))
}
