//! `preload`: puts the scenario's bucket and objects, closed loop, then reads a sample back.

use crate::bucket;
use crate::fault::Fault;
use crate::load::{Each, Load, Objects};
use crate::out::Out;
use crate::pace::Pace;
use crate::plan::Plan;
use crate::run::other;
use crate::scenario::{Scenario, Verb};
use crate::schedule::Schedule;
use crate::session::{Session, Work};
use crate::stats::{Counts, Totals};
use crate::system;
use crate::worker::Span;
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// Objects that failed are put again so often.
pub(crate) const PASSES: usize = 3;
/// How many objects are read back.
const SAMPLE: u64 = 1000;

/// Preloads; true when every object was stored and the sample is right.
///
/// # Errors
/// What kept it from starting, or which objects could not be stored.
pub fn preload(plan: &Plan, stop: &Arc<AtomicBool>, out: &Out) -> Result<bool, Fault> {
    let scenario = objects_of(plan)?;
    bucket::make(plan)?;
    let plan = &with_parallel(plan, scenario);
    let begin_ns = system::clock_ns();
    let count = scenario.preloaded();
    let mut errors = Counts::default();
    let mut totals = Pass {
        plan,
        scenario,
        stop,
        out,
    }
    .run(Verb::Put, None, 0, &mut errors)?;
    for _ in 1..PASSES {
        if totals.failed.is_empty() || totals.interrupted {
            break;
        }
        let stored = count - totals.failed.len() as u64;
        let failed = std::mem::take(&mut totals.failed);
        totals = Pass {
            plan,
            scenario,
            stop,
            out,
        }
        .run(Verb::Put, Some(&failed), stored, &mut errors)?;
    }
    let missing = totals.failed.len() as u64 + totals.unfinished;
    let mut sample = Totals::default();
    if missing == 0 && count > 0 {
        let stride = count.div_ceil(SAMPLE.min(count));
        let list: Vec<u64> = (0..count)
            .step_by(usize::try_from(stride).unwrap_or(1))
            .map(|place| scenario.preloaded_index(place))
            .collect();
        sample = Pass {
            plan,
            scenario,
            stop,
            out,
        }
        .run(Verb::Get, Some(&list), count, &mut errors)?;
    }
    let stored = count - missing;
    out.event(
        &json!({"event": "done", "objects": stored, "bytes": stored_bytes(scenario, &totals),
        "wall_ns": system::clock_ns() - begin_ns, "errors": errors.errors_json(),
        "digests_checked": sample.digests_checked, "digests_wrong": sample.digests_wrong,
        "interrupted": totals.interrupted || sample.interrupted}),
    );
    if totals.interrupted || sample.interrupted {
        return Ok(false);
    }
    let why = totals
        .broken
        .or(totals.failure)
        .unwrap_or_else(|| errors.errors_json().to_string());
    verdict(scenario, missing, &sample, &why).map(|()| true)
}

/// The plan with as many connections as the scenario wants to put with.
fn with_parallel(plan: &Plan, scenario: &Scenario) -> Plan {
    let wanted = scenario.preload.parallel.unwrap_or(plan.connections);
    let connections = plan.connections.min(wanted);
    Plan {
        connections,
        threads: plan.threads.min(connections),
        ..plan.clone()
    }
}

/// What the objects hold that were stored; none when it is not known which those are.
fn stored_bytes(scenario: &Scenario, totals: &Totals) -> Option<u64> {
    let sizes = scenario.objects.sizes();
    let all = (0..scenario.preloaded()).map(|place| sizes.of(scenario.preloaded_index(place)));
    let failed = totals.failed.iter().map(|index| sizes.of(*index));
    (totals.unfinished == 0).then(|| all.sum::<u64>() - failed.sum::<u64>())
}

/// The scenario whose objects are meant.
///
/// # Errors
/// When the plan asks for a path.
pub(crate) fn objects_of(plan: &Plan) -> Result<&Scenario, Fault> {
    plan.scenario
        .as_ref()
        .filter(|_| plan.path().is_none())
        .ok_or_else(|| {
            let expected = "a scenario with objects, and no target.path";
            Fault::usage("scenario", "names no objects", expected, "none")
        })
}

fn verdict(scenario: &Scenario, missing: u64, sample: &Totals, why: &str) -> Result<(), Fault> {
    let count = scenario.preloaded();
    if missing > 0 {
        let found = format!("{} ({why})", count - missing);
        return Err(other(
            "scenario.objects",
            "not all could be stored",
            &format!("{count} objects"),
            found,
        ));
    }
    if !sample.failed.is_empty() || sample.unfinished > 0 {
        let found = format!("{} of the sample wrong ({why})", sample.failed.len());
        return Err(other(
            "scenario.objects",
            "not what was stored",
            "the same bytes",
            found,
        ));
    }
    Ok(())
}

pub(crate) struct Pass<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) scenario: &'a Scenario,
    pub(crate) stop: &'a Arc<AtomicBool>,
    pub(crate) out: &'a Out,
}

impl Pass<'_> {
    /// One request for each object of `list`, or for all.
    pub(crate) fn run(
        &self,
        verb: Verb,
        list: Option<&[u64]>,
        before: u64,
        errors: &mut Counts,
    ) -> Result<Totals, Fault> {
        let lanes = self.plan.threads as usize;
        let count = list.map_or(self.scenario.preloaded(), |list| list.len() as u64);
        let start_ns = system::clock_ns();
        let shares = (0..lanes as u64).map(|lane| (count + lanes as u64 - 1 - lane) / lanes as u64);
        let schedules: Vec<_> = shares.map(|n| Schedule::immediate(start_ns, n)).collect();
        let sizes = self.scenario.objects.sizes();
        let loads = (0..lanes).map(|lane| {
            let objects = match list {
                None => Objects::Stride {
                    first: lane as u64,
                    step: lanes as u64,
                    scenario: Box::new(self.scenario.clone()),
                },
                Some(list) => {
                    Objects::List(list.iter().copied().skip(lane).step_by(lanes).collect())
                }
            };
            Load::Each(Each {
                verb,
                objects,
                sizes: sizes.clone(),
            })
        });
        let loads = loads.collect();
        let work = Work {
            loads,
            operations: 1,
            recorders: Vec::new(),
            list_failures: true,
            pace: Pace::Sleep,
        };
        let session = Session::open(self.plan, self.stop, work)?;
        // Measured from the first object on, without an end.
        let span = Span {
            start_ns,
            measure_ns: 0,
            end_ns: 0,
        };
        session.start(span, &schedules);
        let mut good = before;
        let totals = session.follow(|second| {
            good += if verb == Verb::Put {
                second.counts.good
            } else {
                0
            };
            errors.add(&second.counts);
            self.out.event(
                &json!({"event": "progress", "step": verb.name(), "objects": good,
                "of": self.scenario.preloaded(), "errors": errors.errors_json()}),
            );
        });
        Ok(totals)
    }
}
