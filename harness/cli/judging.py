"""`bench compare` and `bench site`: from results to a decision, and to pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli import show
from harness.cli.options import output_option
from harness.errors import PausemarkError, UsageError
from harness.model import words
from harness.model.compare import Comparison
from harness.model.plan import Request
from harness.model.site import RunView
from harness.stages import compare as comparing
from harness.stages import site as siting
from harness.store import run_folder
from harness.store.run_folder import RunFolder


def _open(text: str, results: Path) -> RunFolder:
    """A path, a folder's name under results, or "newest"."""
    if text == "newest":
        return run_folder.newest(results)
    path = Path(text)
    return run_folder.open_run(path if path.exists() else results / text)


def _environment(folder: RunFolder) -> dict[str, str]:
    document: dict[str, Any] = folder.document("environment")
    flat = {
        f"{section} {key}": str(value)
        for section in ("machine", "software", "runtime")
        for key, value in document.get(section, {}).items()
    }
    request = folder.plan().request
    load = {
        "offered": words.offered(request),
        "streams": str(request.streams),
        "grain": f"{request.grain_ns / 1000:g} us",
        "pace": request.pace,
        "engine threads": str(request.engine_threads),
    }
    return {**flat, **load, "fingerprint": str(document.get("fingerprint", ""))}


def _spoken(request: Request) -> str:
    return request.protocol or ", ".join(sorted(set(request.protocols.values())))


def _same_protocol(first: RunFolder, second: RunFolder) -> None:
    spoken = [_spoken(folder.plan().request) for folder in (first, second)]
    if spoken[0] != spoken[1]:
        raise UsageError(
            "compare",
            f"{first.run_id} speaks {spoken[0]}, {second.run_id} {spoken[1]}",
            hint="charts never mix protocols: compare runs of one --protocol",
        )


def _same_kind(first: RunFolder, second: RunFolder) -> None:
    """A maximum, a rate that was kept and the mean over steps are three figures."""
    asked = [folder.plan().request for folder in (first, second)]
    if (asked[0].closed_loop, asked[0].parts) != (asked[1].closed_loop, asked[1].parts):
        raise UsageError(
            "compare",
            f"{first.run_id} offered {words.offered(asked[0])}, "
            f"{second.run_id} {words.offered(asked[1])}",
            hint="compare runs at fixed rates, runs of the same steps, or runs of --saturate",
        )


@click.command()
@click.argument("base")
@click.argument("new", required=False)
@click.option("--subject", default=None, help="within one run: the subject to compare with")
@click.option("--gate", is_flag=True, help='"cannot tell" exits 3; only one run can gate')
@click.option("--json", "as_json", is_flag=True)
@output_option
def compare(
    base: str, new: str | None, subject: str | None, output: Path, *, gate: bool, as_json: bool
) -> None:
    """Compare the subjects of one run (BASE), or two runs (BASE NEW).

    One run: paired by block, and it can gate: exit 1 on a regression beyond the margin. Two runs:
    informs and never gates.
    """
    first = _open(base, output)
    if new is None:
        trials = [trial.read_data() for trial in first.trials()]
        result = comparing.compare_run(first.run_id, trials, base=subject)
    elif gate:
        raise UsageError(
            "--gate", "two runs cannot gate", hint="measure both in one run: bench run --baseline"
        )
    else:
        second = _open(new, output)
        _same_protocol(first, second)
        _same_kind(first, second)
        result = comparing.compare_runs(
            first.run_id,
            second.run_id,
            [trial.read_data() for trial in first.trials()],
            [trial.read_data() for trial in second.trials()],
            environments=(_environment(first), _environment(second)),
        )
    if as_json:
        show.data_json(result)
    else:
        _print(result)
    raise SystemExit(result.exit_code(gate=gate))


def _print(result: Comparison) -> None:
    for pair in result.pairs:
        twin = " (the same image: noise)" if pair.is_twin else ""
        show.table(
            f"{pair.new} against {pair.base}{twin}",
            ["metric", "n", "ratio", "95%", "p", "p (Holm)", "detectable", "word"],
            [
                [
                    cell.title,
                    str(cell.n),
                    _number(cell.ratio, "{:.3f}"),
                    "-" if cell.low is None else f"{cell.low:.3f} to {cell.high:.3f}",
                    _number(cell.p, "{:.3f}"),
                    _number(cell.p_holm, "{:.3f}"),
                    _number(cell.detectable, "{:+.1%}"),
                    cell.word + (" REGRESSION" if cell.regression else ""),
                ]
                for cell in pair.cells
            ],
            figures=True,
        )
        show.talk(pair.errors.text)
        for note in pair.notes:
            show.talk(f"note: {note}")
    for note in [*result.environment_differs, *result.notes]:
        show.talk(f"note: {note}")
    for text in result.regressions:
        show.talk(f"regression: {text}")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


@click.command()
@click.argument("results", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True)
def site(results: Path, out: Path) -> None:
    """A static site of every run under RESULTS."""
    runs = sorted(path.parent for path in results.glob("*/plan.json"))
    if not runs:
        raise UsageError(str(results), "holds no run", hint="make one with `bench run`")
    index = siting.site([_view(RunFolder(path)) for path in runs], out)
    show.data(str(index))


def _view(folder: RunFolder) -> RunView:
    """A run as the site sees it; one that cannot be read carries its reason."""
    try:
        plan = folder.plan()
        analysis = folder.analysis()
        fingerprint = str(folder.document("environment").get("fingerprint", ""))
        verdicts = {t.spec.index: t.verdict for t in (f.read_data() for f in folder.trials())}
    except PausemarkError as error:
        return RunView(run_id=folder.run_id, problem=f"{Path(error.where).name}: {error.what}")
    return RunView(
        run_id=folder.run_id,
        created_utc=plan.created_utc,
        report=folder.report if folder.report.exists() else None,
        analysis=analysis,
        verdicts=verdicts,
        plan=plan,
        fingerprint=fingerprint,
    )


COMMANDS = (compare, site)
