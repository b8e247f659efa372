//! What any text does to the reader of plans and scenarios: a plan that can be asked from, or a
//! fault that says where, what, what was expected and what was found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pausemark_engine::load::{Lane, Load, Mix};
use pausemark_engine::plan::Plan;
use pausemark_engine::request::Form;

const ASKED: u64 = 16;
const PIECE_BYTES: usize = 4096;

const LANE: Lane = Lane {
    seed: 0,
    number: 0,
    of: 1,
};

fuzz_target!(|data: &[u8]| {
    match Plan::read(data) {
        Err(fault) => {
            for (name, text) in [
                ("place", &fault.place),
                ("what", &fault.what),
                ("expected", &fault.expected),
                ("hint", &fault.hint),
            ] {
                assert!(!text.is_empty(), "a fault without its {name}: {fault:?}");
            }
        }
        Ok(plan) => ask(&plan),
    }
});

/// What it allows can be asked.
fn ask(plan: &Plan) {
    let form = Form::new(plan);
    let mut load = match plan.scenario.as_ref().filter(|_| plan.path().is_none()) {
        Some(scenario) => Load::Mix(Box::new(Mix::new(scenario, plan.seed, LANE))),
        None => Load::Path,
    };
    let mut out = Vec::new();
    for number in 0..ASKED {
        let ask = load.ask(number);
        out.clear();
        let _ = form.render(&ask, PIECE_BYTES, &mut out);
        let end = out.windows(4).position(|window| window == b"\r\n\r\n");
        let head = &out[..end.expect("a head that ends")];
        let text = std::str::from_utf8(head).expect("a head of text");
        let (line, rest) = text.split_once("\r\n").expect("more than a request line");
        assert_eq!(line.split(' ').count(), 3, "{line:?}");
        assert!(rest.lines().all(|line| line.contains(": ")), "{rest:?}");
    }
}
