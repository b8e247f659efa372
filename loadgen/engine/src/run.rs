//! `run`: the open loop; ready, start, a line a second, done.

use crate::fault::{Blame, Fault};
use crate::load::{Load, Mix};
use crate::out::Out;
use crate::pace;
use crate::plan::Plan;
use crate::records::{self, Writer};
use crate::schedule::Schedule;
use crate::session::{self, Session, Work};
use crate::stats::{Counts, Second, Times, Totals};
use crate::system;
use crate::worker::{Span, SECOND_NS};
use hdrhistogram::serialization::V2DeflateSerializer;
use serde_json::{json, Value};
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// From ready to the first slot when the plan names no time.
const HEAD_START_NS: u64 = 200_000_000;

/// Runs a plan; true when it went to its end.
///
/// # Errors
/// What kept it from starting, or what was lost at the end.
pub fn run(plan: &Plan, stop: &Arc<AtomicBool>, out: &Out) -> Result<bool, Fault> {
    let lanes = plan.threads as usize;
    let names = operation_names(plan);
    let records = plan
        .records_path
        .as_ref()
        .map(|path| Writer::start(path, lanes))
        .transpose()?;
    let (writer, recorders, header) = match records {
        Some((writer, recorders, header)) => (Some(writer), recorders, Some(header)),
        None => (None, Vec::new(), None),
    };
    let choice = pace::choose(plan);
    let work = Work {
        pace: choice.pace,
        loads: loads(plan),
        operations: names.len(),
        recorders,
        list_failures: false,
    };
    let session = Session::open(plan, stop, work)?;
    out.event(
        &json!({"event": "ready", "pid": std::process::id(), "version": env!("CARGO_PKG_VERSION"),
        "clock_ns": system::clock_ns(), "connections": plan.connections}),
    );
    let span = session::span(plan, start_ns(plan)?);
    if let Some(header) = header {
        drop(header.send(records::header(&header_json(plan, span, &names))?));
    }
    let schedules = session::schedules(plan, span);
    let cpu_before_ns = system::process_cpu_ns();
    session.start(span, &schedules);
    out.event(&json!({"event": "start", "start_ns": span.start_ns,
        "measure_ns": span.measure_ns, "end_ns": span.end_ns}));
    let mut reporter = Reporter::new(span, &schedules, out);
    let totals = session.follow(|second| reporter.second(second));
    let wall_ns = system::clock_ns().saturating_sub(span.start_ns);
    let (written, fault) = writer.map_or_else(Default::default, Writer::finish);
    let interrupted = totals.interrupted;
    let mut done = reporter.done(&names, &totals);
    done["pace"] = choice.json(plan.pace);
    done["grain_ns"] = plan.grain_ns.into();
    done["closed_loop"] = plan.closed_loop.into();
    done["cpu_ns"] = (system::process_cpu_ns() - cpu_before_ns).into();
    done["wall_ns"] = wall_ns.into();
    done["records"] = written.records.into();
    done["records_dropped"] = (written.dropped + totals.records_dropped).into();
    out.event(&done);
    match totals.broken.map(ended_early).or(fault) {
        Some(fault) => Err(fault),
        None => Ok(!interrupted),
    }
}

fn ended_early(found: String) -> Fault {
    let (place, what) = ("a thread of the schedule", "ended before its time");
    Fault::environment(place, what, "epoll and its timers to go on working", found).hint(
        "see what forbids these calls (a sandbox, a tracer); slots left over are `unfinished`",
    )
}

fn operation_names(plan: &Plan) -> Vec<&'static str> {
    match (&plan.scenario, plan.path()) {
        (Some(scenario), None) => scenario
            .operations
            .iter()
            .map(|op| op.name.name())
            .collect(),
        _ => vec!["get"],
    }
}

fn loads(plan: &Plan) -> Vec<Load> {
    let one = |lane| match (&plan.scenario, plan.path()) {
        (Some(scenario), None) => Load::Mix(Box::new(Mix::new(
            scenario,
            plan.seed,
            session::lane(plan, lane),
        ))),
        _ => Load::Path,
    };
    (0..plan.threads).map(one).collect()
}

fn start_ns(plan: &Plan) -> Result<u64, Fault> {
    let now_ns = system::clock_ns();
    match plan.start_at_ns {
        None => Ok(now_ns + HEAD_START_NS),
        Some(start_ns) if start_ns > now_ns => Ok(start_ns),
        Some(start_ns) => {
            let expected = format!("a time after {now_ns}, when all connections were open");
            let late = Fault::usage("start_at_ns", "in the past", expected, start_ns);
            Err(late.hint("name a later start: opening connections takes its time"))
        }
    }
}

fn header_json(plan: &Plan, span: Span, names: &[&str]) -> Value {
    json!({"schema": 1, "operations": names, "errors": records::error_names(),
        "start_ns": span.start_ns, "measure_ns": span.measure_ns, "end_ns": span.end_ns,
        "rate_rps": plan.rate_rps, "connections": plan.connections, "share": plan.share})
}

/// Writes the events; counts on copies of the schedules what was offered.
struct Reporter<'a> {
    span: Span,
    offered: Vec<Schedule>,
    whole: Vec<Schedule>,
    cut_ns: u64,
    serializer: V2DeflateSerializer,
    out: &'a Out,
}

impl<'a> Reporter<'a> {
    fn new(span: Span, schedules: &[Schedule], out: &'a Out) -> Self {
        let serializer = V2DeflateSerializer::new();
        let (offered, whole) = (schedules.to_vec(), schedules.to_vec());
        Self {
            span,
            offered,
            whole,
            cut_ns: u64::MAX,
            serializer,
            out,
        }
    }

    fn second(&mut self, second: &Second) {
        let begin_ns = self.span.start_ns + second.index * SECOND_NS;
        self.cut_ns = self.cut_ns.min(second.cut_ns);
        let counts = &second.counts;
        if begin_ns >= self.span.end_ns && counts.completed + counts.sent == 0 {
            return; // nothing was left to wait for
        }
        let mut offered = self.sent_on_its_own(counts.sent);
        for schedule in &mut self.offered {
            schedule.cut(self.cut_ns);
            offered += schedule.advance_to(begin_ns + SECOND_NS);
        }
        let mut event = counts_json(counts, offered);
        event["event"] = "second".into();
        event["index"] = second.index.into();
        event["warmup"] = (begin_ns < self.span.measure_ns).into();
        event["cpu_ns"] = second.cpu_ns.into();
        event["runqueue_ns"] = second.runqueue_ns.into();
        event["in_flight"] = second.in_flight.into();
        event["histograms"] = second.times.json(&mut self.serializer);
        self.out.event(&event);
    }

    /// A closed loop offers what it sends.
    fn sent_on_its_own(&self, sent: u64) -> u64 {
        let closed = self.whole.iter().all(Schedule::is_closed_loop);
        if closed {
            sent
        } else {
            0
        }
    }

    fn done(mut self, names: &[&str], totals: &Totals) -> Value {
        let mut offered = self.sent_on_its_own(totals.counts.sent);
        for schedule in &mut self.whole {
            schedule.cut(self.cut_ns);
            schedule.advance_to(self.span.measure_ns);
            offered += schedule.advance_to(u64::MAX);
        }
        let mut times = totals.times.clone();
        let mut by_operation = serde_json::Map::new();
        for (name, operation) in names.iter().zip(&totals.operations) {
            times.response.merge(&operation.response);
            let response = operation.response.encoded(&mut self.serializer);
            let value =
                json!({"good": operation.good, "errors": operation.errors, "response": response});
            by_operation.insert((*name).to_owned(), value);
        }
        let mut sums = counts_json(&totals.counts, offered);
        sums["good_by_end"] = totals.good_by_end.into();
        sums["histograms"] = times.json(&mut self.serializer);
        sums["summary"] = summary(&times.response);
        json!({"event": "done", "totals": sums, "by_operation": by_operation,
            "connections_opened": totals.connections_opened,
            "connections_lost": totals.connections_lost,
            "digests_checked": totals.digests_checked, "digests_wrong": totals.digests_wrong,
            "signed_late": totals.signed_late, "stderr_bytes": totals.stderr_bytes,
            "unfinished": totals.unfinished,
            "interrupted": totals.interrupted})
    }
}

/// A few quantiles of the response time in clear, for people who read the line.
fn summary(response: &Times) -> Value {
    let at = |quantile| response.quantile_ns(quantile);
    json!({"response_ns_p50": at(0.5), "response_ns_p99": at(0.99),
        "response_ns_p999": at(0.999), "response_ns_max": at(1.0)})
}

fn counts_json(counts: &Counts, offered: u64) -> Value {
    json!({"offered": offered, "sent": counts.sent, "completed": counts.completed,
        "good": counts.good, "errors": counts.errors_json(), "bytes_in": counts.bytes_in,
        "bytes_out": counts.bytes_out, "overflow": counts.overflow})
}

/// A failure that is neither the user's nor the machine's.
#[must_use]
pub fn other(place: &str, what: &str, expected: &str, found: String) -> Fault {
    Fault {
        blame: Blame::Other,
        ..Fault::environment(place, what, expected, found)
    }
}
