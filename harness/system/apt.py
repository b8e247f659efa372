"""Where this machine's apt takes Debian from, so that its owner's choice of a mirror is kept."""

from __future__ import annotations

from harness.system.process import find, run

TIMEOUT_S = 30.0


def debian_archive(label: str = "Debian") -> str | None:
    """The first http archive with this label ("Debian", "Debian-Security"), without a slash behind.

    None where there is no apt, or none that was ever updated: labels come from its Release files.
    """
    program = find("apt-get")
    if program is None:
        return None
    filters = ("Created-By: Packages", "Origin: Debian", f"Label: {label}")
    said = run([program, "indextargets", "--format", "$(REPO_URI)", *filters], timeout_s=TIMEOUT_S)
    archives = (line.rstrip("/") for line in said.stdout.splitlines())
    return next((uri for uri in archives if uri.startswith(("http://", "https://"))), None)
