"""`bench worker`: one engine that joins the master of each trial, until it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.drivers import engine, locust
from harness.errors import EnvironmentLacking, UsageError
from harness.paths import Paths
from harness.system import process
from harness.system.clock import monotonic_ns, sleep_s

END_S = 10.0
HASTE_S = 5.0  # a worker that ends sooner than this did not come to anything
HASTY_MAX = 5
LOOK_EVERY_S = 0.1


def serve(
    *,
    root: Path,
    host: str,
    port: int,
    token: str,
    name: str,
    keep: Path | None,
    say: Callable[[str], None],
) -> None:
    """Joins trial after trial: each has a master of its own, and so a worker of its own here.

    Raises:
        UsageError: the master has another token.
        EnvironmentLacking: workers end at once, again and again.
    """
    paths = Paths(root=root, results=root / "results", backend_roots=[])
    engine.build(paths.root, paths.build, say)
    say(f"worker {name}: waits for {host}:{port}; Ctrl-C ends it")
    hasty = 0
    while hasty < HASTY_MAX:
        began_ns = monotonic_ns()
        one = locust.start_elsewhere(
            locustfile=paths.locustfile,
            engine=paths.programs / "pausemark-engine",
            host=host,
            port=port,
            token=token,
            name=name,
            keep=str(keep) if keep else "",
        )
        try:
            while one.poll() is None:
                sleep_s(LOOK_EVERY_S)
        finally:
            process.end(one, timeout_s=END_S)
        if one.returncode == locust.REFUSED_STATUS:
            raise UsageError(
                "--token",
                f"the master at {host}:{port} has another one, or none",
                hint="set the same PAUSEMARK_TOKEN on both sides",
            )
        hasty = hasty + 1 if monotonic_ns() - began_ns < HASTE_S * 1e9 else 0
    raise EnvironmentLacking(
        "locust", f"its worker ended {HASTY_MAX} times in a row", hint="it said why, above"
    )
