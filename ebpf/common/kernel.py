"""Compiles and attaches a probe's kernel side with bcc, against the stub headers of ../include."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOM = Path(__file__).resolve().parent.parent
TRACEFS = Path("/sys/kernel/tracing")


class Unavailable(Exception):
    """The probe cannot run on this machine; the text is the reason that its user reads."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A tracepoint and the BPF function that it runs.

    The kernel side sees HAVE_<event> for each hook that this kernel has, and must compile without
    those that are not `required`.
    """

    category: str
    event: str
    function: str
    required: bool = True

    @property
    def name(self) -> str:
        """The hook as manifests write it."""
        return f"tracepoint {self.category}:{self.event}"

    def exists(self) -> bool:
        """Whether the running kernel has it."""
        return (TRACEFS / "events" / self.category / self.event / "format").is_file()


class Map:
    """A BPF map whose keys are integers; values are bytes, one system call each, no wrappers."""

    def __init__(self, table: Any, library: Any) -> None:
        """Wrap bcc's `table`; values of per-CPU maps are those of all CPUs, one after another."""
        self._library = library
        self.fd = int(table.map_fd)
        self._key_kind = ctypes.c_uint64 if ctypes.sizeof(table.Key) == 8 else ctypes.c_uint32
        leaf = ctypes.sizeof(table.Leaf)
        per_cpu = type(table).__name__ in ("PerCpuArray", "PerCpuHash", "LruPerCpuHash")
        self._value = ctypes.create_string_buffer(
            (leaf + 7) // 8 * 8 * _possible_cpus() if per_cpu else leaf
        )

    def read(self, key: int) -> bytes:
        """The value at `key`; KeyError when it has none."""
        index = self._key_kind(key)
        if self._library.bpf_lookup_elem(self.fd, ctypes.byref(index), self._value) != 0:
            raise KeyError(key)
        return self._value.raw

    def write(self, key: int, value: bytes) -> None:
        """Set the value at `key`; OSError when the map is full."""
        index = self._key_kind(key)
        buffer = ctypes.create_string_buffer(value, len(self._value))
        if self._library.bpf_update_elem(self.fd, ctypes.byref(index), buffer, 0) != 0:
            raise OSError(ctypes.get_errno(), f"BPF map: element {key} not written")

    def zero(self, key: int) -> None:
        """Set the value at `key` to zero bytes."""
        self.write(key, b"")

    def keys(self) -> list[int]:
        """Every key, in the kernel's order."""
        found: list[int] = []
        key = self._key_kind()
        step = None
        while self._library.bpf_get_next_key(self.fd, step, ctypes.byref(key)) == 0:
            found.append(key.value)
            step = ctypes.byref(self._key_kind(key.value))
        return found

    def clear(self) -> None:
        """Delete every element (of a hash)."""
        for key in self.keys():
            index = self._key_kind(key)
            self._library.bpf_delete_elem(self.fd, ctypes.byref(index))

    def integers(self, key: int) -> list[int]:
        """The value at `key` as u64 numbers."""
        raw = self.read(key)
        return [int.from_bytes(raw[at : at + 8], "little") for at in range(0, len(raw), 8)]


class Program:
    """One compiled kernel side: loaded and verified at once, attached for each trial."""

    def __init__(
        self, source: Path, *, hooks: Sequence[Hook], defines: Mapping[str, int | str]
    ) -> None:
        """Compile `source` with `defines` as -D settings, and load the functions of `hooks`."""
        _check_machine()
        missing = [hook for hook in hooks if not hook.exists()]
        for hook in missing:
            if hook.required:
                raise Unavailable(f"this kernel has no {hook.name}")
        self.hooks = [hook for hook in hooks if hook not in missing]
        self.unavailable = [
            {"hook": hook.name, "reason": "this kernel does not have it"} for hook in missing
        ]
        flags = [f"-D{name}={value}" for name, value in defines.items()]
        flags += [f"-DHAVE_{hook.event}=1" for hook in self.hooks]
        bcc = _import_bcc()
        self._library = bcc.lib
        with _kernel_source():
            try:
                self.bpf = bcc.BPF(
                    text=_flatten(source, set()),
                    cflags=[*flags, "-Wno-macro-redefined"],
                )
                self._functions = {
                    hook.function: self.bpf.load_func(hook.function.encode(), bcc.BPF.TRACEPOINT)
                    for hook in self.hooks
                }
            except Exception as problem:  # bcc raises bare Exception for all that goes wrong
                raise Unavailable(f"{source.name} did not compile or load: {problem}") from problem
        self._maps: dict[str, Map] = {}
        self._attached: list[Hook] = []

    def map(self, name: str) -> Map:
        """The map `name` of the kernel side."""
        if name not in self._maps:
            self._maps[name] = Map(self.bpf[name.encode()], self._library)
        return self._maps[name]

    def program_fds(self) -> list[int]:
        """File descriptors of every function loaded so far, for their run cost."""
        return [int(function.fd) for function in self.bpf.funcs.values()]

    def attach(self) -> None:
        """Attach every hook; on failure none stays attached."""
        try:
            for hook in self.hooks:
                self.bpf.attach_tracepoint(
                    tp=f"{hook.category}:{hook.event}".encode(), fn_name=hook.function.encode()
                )
                self._attached.append(hook)
        except Exception:
            self.detach()
            raise

    def detach(self) -> None:
        """Detach what `attach` attached."""
        while self._attached:
            hook = self._attached.pop()
            self.bpf.detach_tracepoint(f"{hook.category}:{hook.event}".encode())


def _flatten(source: Path, seen: set[str]) -> str:
    """The text with its own headers put in place, each once.

    bcc writes the structs of tracepoints only for functions of the main file, so headers that
    define such functions (tree.h) cannot be included by the compiler.
    """
    lines = []
    for line in source.read_text().splitlines():
        name = line.removeprefix('#include "').rstrip('"') if line.startswith('#include "') else ""
        if not name:
            lines.append(line)
        elif name not in seen:
            seen.add(name)
            beside = source.parent / name
            found = beside if beside.is_file() else ROOM / "common" / name
            lines.append(_flatten(found, seen))
    return "\n".join(lines)


def _possible_cpus() -> int:
    last = Path("/sys/devices/system/cpu/possible").read_text().strip()
    return int(last.replace(",", "-").split("-")[-1]) + 1


def _import_bcc() -> Any:
    try:
        import bcc  # noqa: PLC0415 - found missing only when it is needed, and said with a reason
    except ImportError as problem:
        raise Unavailable(f"python3-bpfcc is not installed ({problem})") from problem
    return bcc


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise Unavailable("eBPF needs root")
    if platform.machine() != "x86_64":
        raise Unavailable(f"the stub headers know x86_64 only, this is {platform.machine()}")
    if not (TRACEFS / "events").is_dir():
        # Containers and small systems often have it in the kernel and not mounted.
        command = ["mount", "-t", "tracefs", "tracefs", str(TRACEFS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        if done.returncode != 0:
            raise Unavailable(f"tracefs cannot be mounted at {TRACEFS}: {done.stderr.strip()}")


@contextlib.contextmanager
def _kernel_source() -> Iterator[None]:
    """Point bcc at the stub headers, with a linux/version.h of the running kernel beside them."""
    old = os.environ.get("BCC_KERNEL_SOURCE")
    with tempfile.TemporaryDirectory(prefix="pausemark-kernel-") as folder:
        include = Path(folder) / "include"
        shutil.copytree(ROOM / "include", include)
        (include / "linux/version.h").write_text(_version_header(platform.release()))
        os.environ["BCC_KERNEL_SOURCE"] = folder
        try:
            yield
        finally:
            del os.environ["BCC_KERNEL_SOURCE"]
            if old is not None:
                os.environ["BCC_KERNEL_SOURCE"] = old


def _version_header(release: str) -> str:
    digits = release.replace("+", "-").partition("-")[0].split(".")
    parts = [int("".join(c for c in digit if c.isdigit()) or 0) for digit in digits[:3]]
    major, minor, patch = [*parts, 0, 0, 0][:3]
    code = (major << 16) + (minor << 8) + min(patch, 255)
    return (
        f"#define LINUX_VERSION_CODE {code}\n"
        "#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + ((c) > 255 ? 255 : (c)))\n"
    )
