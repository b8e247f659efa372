"""Counts a process's heap allocations with uprobes until stdin ends; runs under /usr/bin/python3.

Arguments: pid. Says {"event": "ready"} once it counts, then {"calls": n}. Counted are the entries
of the C library's allocating functions, which C, C++ and Rust all come down to, and of the Go
runtime's own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "ebpf"))

from common.kernel import Program  # noqa: E402

# Each calls none of the others.
LIBC_FUNCTIONS = ("malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign")
# The leaves below mallocgc, by size and kind; mallocgc itself calls one of them.
GO_FUNCTION = re.compile(r" (runtime\.mallocgc\w+)$")


def libc_of(pid: int) -> str:
    """The C library that the process has mapped; empty when it has none."""
    found = re.search(r"(/\S*/libc\.so\.6)$", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE)
    return found[1] if found else ""


def go_functions(artifact: str) -> list[str]:
    """The Go runtime's allocating functions; none when it is not a Go program."""
    listed = subprocess.run(["nm", artifact], capture_output=True, text=True, check=True).stdout
    return [found[1] for line in listed.splitlines() if (found := GO_FUNCTION.search(line))]


def main() -> None:
    """Attach, say so, wait, say how many."""
    pid = int(sys.argv[1])
    artifact = str(Path(f"/proc/{pid}/exe").resolve())
    program = Program(FOLDER / "allocations.bpf.c", hooks=(), defines={})
    names = go_functions(artifact)
    library = artifact if names else libc_of(pid)
    for name in names or LIBC_FUNCTIONS:
        program.bpf.attach_uprobe(
            name=library.encode(), sym=name.encode(), fn_name=b"on_allocation", pid=pid
        )
    before = sum(program.map("calls").integers(0))
    sys.stdout.write(json.dumps({"event": "ready", "functions": len(names or LIBC_FUNCTIONS)}))
    sys.stdout.write("\n")
    sys.stdout.flush()
    sys.stdin.read()
    sys.stdout.write(json.dumps({"calls": sum(program.map("calls").integers(0)) - before}) + "\n")


if __name__ == "__main__":
    main()
