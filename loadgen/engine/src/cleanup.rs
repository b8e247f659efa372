//! `cleanup`: deletes the scenario's objects, closed loop, and then the bucket.

use crate::bucket;
use crate::fault::Fault;
use crate::out::Out;
use crate::plan::Plan;
use crate::preload::{objects_of, Pass, PASSES};
use crate::run::other;
use crate::scenario::{Scenario, Verb};
use crate::stats::Counts;
use crate::system;
use serde_json::json;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// Cleans up; true when every object and the bucket are gone. An object that was never there is.
///
/// # Errors
/// What kept it from starting, or what could not be deleted.
pub fn cleanup(plan: &Plan, stop: &Arc<AtomicBool>, out: &Out) -> Result<bool, Fault> {
    let scenario = objects_of(plan)?;
    let begin_ns = system::clock_ns();
    let scenario = &whole(scenario);
    let pass = Pass {
        plan,
        scenario,
        stop,
        out,
    };
    let mut errors = Counts::default();
    let mut totals = pass.run(Verb::Delete, None, 0, &mut errors)?;
    for _ in 1..PASSES {
        if totals.failed.is_empty() || totals.interrupted {
            break;
        }
        let failed = std::mem::take(&mut totals.failed);
        totals = pass.run(Verb::Delete, Some(&failed), 0, &mut errors)?;
    }
    let left = totals.failed.len() as u64 + totals.unfinished;
    let count = scenario.objects.count;
    let done = |bucket: bool| {
        out.event(
            &json!({"event": "done", "objects": count - left, "bucket": bucket,
            "wall_ns": system::clock_ns() - begin_ns, "errors": errors.errors_json(),
            "interrupted": totals.interrupted}),
        );
    };
    if left > 0 || totals.interrupted {
        done(false);
        let found = format!("{left} left ({})", errors.errors_json());
        let expected = format!("{count} objects");
        let what = "not all could be deleted";
        return Err(other("scenario.objects", what, &expected, found));
    }
    bucket::delete(plan)?;
    done(true);
    Ok(true)
}

/// The scenario with every object that it may have left, those that come and go among them.
fn whole(scenario: &Scenario) -> Scenario {
    let mut whole = scenario.clone();
    whole.objects.count += whole.objects.churn;
    whole.objects.churn = 0;
    whole.preload.count = None;
    whole
}
