"""`bench list`, `env`, `doctor`, `prune`, `report`: the commands that look and tidy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness import pipeline
from harness.cli import show
from harness.cli.options import ROOT, backends_option, output_option
from harness.drivers import manifests, runtimes
from harness.errors import EXIT_ENVIRONMENT, UsageError
from harness.model.manifest import BackendManifest
from harness.stats import workload
from harness.store import run_folder
from harness.system import doctor as checks
from harness.system import environment


@click.command("list")
@click.option("--json", "as_json", is_flag=True)
@backends_option
def list_(backend_roots: list[Path], *, as_json: bool) -> None:
    """Backends, scenarios and probes that were found."""
    backends = [
        manifests.read_backend(folder) for folder in manifests.find_backends(backend_roots).values()
    ]
    scenarios = [
        manifests.read_scenario(path)
        for path in manifests.find_scenarios(ROOT / "loadgen" / "scenarios").values()
    ]
    probes = [
        manifests.read_probe(folder) for folder in manifests.find_probes(ROOT / "ebpf").values()
    ]
    if as_json:
        found: dict[str, Any] = {"backends": backends, "scenarios": scenarios, "probes": probes}
        show.data_json({"schema": 1, **found})
        return
    _show_backends(backends)
    show.table(
        "scenarios",
        ["name", "title", "mix", "sizes", "popularity", "stored"],
        [
            [
                *(one.name, one.title, workload.mix(one), workload.sizes(one.objects)),
                *(workload.popularity(one.objects), workload.stored_text(one)),
            ]
            for one in scenarios
        ],
    )
    show.table(
        "probes",
        ["name", "title", "for"],
        [[p.name, p.title, p.collector or "all"] for p in probes],
    )


def _show_backends(backends: list[BackendManifest]) -> None:
    """A row a variant, then a row an option; `*` marks the variant that is taken by default."""
    show.table(
        "backends",
        ["backend/variant", "title", "language", "tracks", "protocols", "profiles"],
        [
            [
                f"{backend.name}/{variant.name}{' *' if variant.default else ''}",
                variant.title,
                backend.language,
                ", ".join(variant.tracks),
                ", ".join(variant.protocols),
                ", ".join(backend.profiles) or "core only",
            ]
            for backend in backends
            for variant in backend.variants
        ],
    )
    show.table(
        "options",
        ["--set", "values", "default", "about"],
        [
            [
                f"{backend.name}.{name}",
                option.allowed,
                option.default or "the backend's own",
                option.about,
            ]
            for backend in backends
            for name, option in backend.options.items()
        ],
    )


@click.command()
@click.option("--json", "as_json", is_flag=True)
def env(*, as_json: bool) -> None:
    """What this machine is."""
    facts = environment.describe()
    if as_json:
        show.data_json({"schema": 1, **facts})
        return
    for section, lines in facts.items():
        show.table(section, ["", "value"], [[key, value] for key, value in lines.items()])


@click.command()
@click.option("--fix", is_flag=True, help="do what this can do by itself")
@click.option("--json", "as_json", is_flag=True)
def doctor(*, fix: bool, as_json: bool) -> None:
    """What this machine can and cannot do, and what would mend it."""
    found = checks.examine()
    if fix:
        for check in found:
            if check.state != "good" and check.fixable:
                show.talk(f"fix {check.name}: {checks.fix(check.name)}")
        found = checks.examine()
    if as_json:
        show.data_json({"schema": 1, "checks": found})
    else:
        show.table(
            "this machine",
            ["check", "state", "found", "what mends it"],
            [[c.name, c.state, c.found, c.advice] for c in found],
        )
    if any(check.state == "lacking" for check in found):
        raise SystemExit(EXIT_ENVIRONMENT)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@output_option
def report(run: Path, output: Path) -> None:
    """Analyse a run again and write its report; RUN is a folder, or "newest"."""
    folder = run_folder.newest(output) if str(run) == "newest" else run_folder.open_run(run)
    if not folder.trials():
        raise UsageError(str(folder.path), "has no finished trial", hint="measure again")
    pipeline.conclude(folder)
    show.answer_table(folder.plan(), folder.analysis())
    show.talk(f"report: {folder.report}")


@click.command()
@click.option("--records", is_flag=True, help="remove every requests.bin and probe stream")
@click.option("--keep", type=int, default=None, help="keep this many newest runs, remove the rest")
@click.option("--dry-run", is_flag=True, help="only say what would go")
@output_option
def prune(output: Path, keep: int | None, *, records: bool, dry_run: bool) -> None:
    """Remove request records, old runs, and whatever killed runs left behind."""
    if keep is not None and keep < 0:
        raise UsageError("--keep", f"expected 0 or more, got {keep}", hint="0 removes every run")
    freed = 0
    for path, size in run_folder.prunable(output, records=records, keep=keep):
        freed += size
        show.talk(f"{'would remove' if dry_run else 'remove'} {path} ({size / 2**20:,.1f} MiB)")
        if not dry_run:
            run_folder.remove(path)
    if not dry_run:
        for sentence in runtimes.cleanup():
            show.talk(sentence)
    show.data(f"{freed / 2**20:,.1f} MiB {'would be' if dry_run else 'were'} freed")


COMMANDS = (list_, env, doctor, report, prune)
