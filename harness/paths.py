"""Where the rooms are, and what was built from them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.drivers import manifests
from harness.model.plan import Subject


class Paths(msgspec.Struct, frozen=True):
    """Where the rooms are; all absolute."""

    root: Path
    results: Path
    backend_roots: list[Path]
    baseline_root: Path | None = None  # another checkout, whose backends get the label "baseline"

    @property
    def build(self) -> Path:
        """Where built things go."""
        return self.root / "build"

    @property
    def locustfile(self) -> Path:
        """Locust's side."""
        return self.root / "loadgen" / "locust" / "locustfile.py"

    @property
    def programs(self) -> Path:
        """Engine and freeze server."""
        return self.build / "loadgen"

    def backend(self, subject: Subject) -> Path:
        """The folder that a subject is built from."""
        if subject.label == "baseline" and self.baseline_root is not None:
            return self.baseline_root / "backends" / subject.backend
        return manifests.find_backends(self.backend_roots)[subject.backend]
