"""Reads what the GC probe needs from a Go executable: its version, and functions with their code.

ELF64 little-endian only. Names come from the symbol table, or, in a stripped binary, from the
runtime's own function table (.gopclntab), which Go cannot run without.
Sources: the ELF specification; Go's src/runtime/symtab.go (pcHeader, moduledata) and
src/debug/gosym/pclntab.go.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import NamedTuple

PCLNTAB_MAGICS = (0xFFFFFFF0, 0xFFFFFFF1)  # Go 1.18 and Go 1.20 to 1.26
MACHINE_X86_64 = 62
FUNCTION_BYTES_MAX = 1 << 16
TEXT_IN_MODULEDATA = 8 + 6 * 24 + 3 * 8  # offset of moduledata.text, Go 1.20 to 1.26


class NotReadable(Exception):
    """The file is not a Go executable that this module can read; the text says why."""


class Section(NamedTuple):
    """A section: address in memory, offset and size in the file, in bytes."""

    address: int
    offset: int
    size: int


class Function(NamedTuple):
    """A function: its address, its offset in the file, and its machine code."""

    address: int
    offset: int
    code: bytes


class GoBinary:
    """A Go executable, held in memory while it is being read."""

    def __init__(self, path: Path) -> None:
        """Reads the file; raises NotReadable, or OSError."""
        self.data = path.read_bytes()
        if self.data[:6] != b"\x7fELF\x02\x01":
            raise NotReadable("not a 64-bit little-endian ELF file")
        if self._at("<H", 18) != MACHINE_X86_64:
            raise NotReadable("not an x86-64 binary: register positions are known for amd64 only")
        self.sections = self._read_sections()
        if ".text" not in self.sections:
            raise NotReadable("no .text section")

    def _at(self, form: str, offset: int) -> int:
        try:
            return int(struct.unpack_from(form, self.data, offset)[0])
        except struct.error:
            raise NotReadable(f"the file ends before offset {offset}") from None

    def _string(self, offset: int) -> str:
        return self.data[offset : self.data.index(b"\0", offset)].decode("utf-8", "replace")

    def _read_sections(self) -> dict[str, Section]:
        table, size = self._at("<Q", 0x28), self._at("<H", 0x3A)
        count, names_at = self._at("<H", 0x3C), self._at("<H", 0x3E)
        names = self._at("<Q", table + names_at * size + 0x18)
        sections = {}
        for header in range(table, table + count * size, size):
            name = self._string(names + self._at("<I", header))
            sections[name] = Section(
                self._at("<Q", header + 0x10),
                self._at("<Q", header + 0x18),
                self._at("<Q", header + 0x20),
            )
        return sections

    def version(self) -> tuple[int, int] | None:
        """Go's (major, minor), from the build information; None where there is none."""
        section = self.sections.get(".go.buildinfo")
        if section is None:
            return None
        block = self.data[section.offset : section.offset + section.size]
        found = re.search(rb"go(\d+)\.(\d+)", block)
        return (int(found[1]), int(found[2])) if found else None

    def functions(self, names: set[str]) -> dict[str, Function]:
        """Those of `names` that the binary has."""
        ranges = self._from_symbol_table(names) if ".symtab" in self.sections else {}
        if not ranges:
            ranges = self._from_function_table(names)
        return {name: self._function(start, end) for name, (start, end) in ranges.items()}

    def _function(self, start: int, end: int) -> Function:
        text = self.sections[".text"]
        offset = start - text.address + text.offset
        if not (text.address <= start < end <= text.address + text.size):
            raise NotReadable(f"a function at {start:#x} lies outside .text")
        if end - start > FUNCTION_BYTES_MAX:
            raise NotReadable(f"a function of {end - start} bytes at {start:#x}")
        return Function(start, offset, self.data[offset : offset + end - start])

    def _from_symbol_table(self, names: set[str]) -> dict[str, tuple[int, int]]:
        symbols, strings = self.sections[".symtab"], self.sections[".strtab"]
        block = self.data[symbols.offset : symbols.offset + symbols.size]
        found = {}
        for name_at, info, _, _, value, size in struct.iter_unpack("<IBBHQQ", block):
            if info & 0xF == 2 and size:  # STT_FUNC
                name = self._string(strings.offset + name_at)
                if name in names:
                    found[name] = (value, value + size)
        return found

    def _from_function_table(self, names: set[str]) -> dict[str, tuple[int, int]]:
        table = self.sections.get(".gopclntab") or self.sections.get(".data.rel.ro.gopclntab")
        if table is None:
            raise NotReadable("neither a symbol table nor .gopclntab: not a Go executable")
        magic = self._at("<I", table.offset)
        if magic not in PCLNTAB_MAGICS:
            raise NotReadable(f"unknown .gopclntab magic {magic:#x}")
        count = self._at("<Q", table.offset + 8)
        names_at = table.offset + self._at("<Q", table.offset + 32)
        entries = table.offset + self._at("<Q", table.offset + 64)
        text, found = self._text_start(table), {}
        if entries + count * 8 + 4 > len(self.data):
            raise NotReadable(f".gopclntab names {count} functions, more than it holds")
        for index in range(count):
            start, about, end = struct.unpack_from("<III", self.data, entries + index * 8)
            name = self._string(names_at + self._at("<I", entries + about + 4))
            if name in names:
                found[name] = (text + start, text + end)
        return found

    def _text_start(self, table: Section) -> int:
        """Where runtime.text lies.

        Go 1.26 took it out of the table's header. It is the start of .text, except where a C linker
        put its own code first; moduledata then has it, if the file holds it before relocation.
        """
        module = self.sections.get(".go.module")
        if module and self._at("<Q", module.offset) == table.address:
            return self._at("<Q", module.offset + TEXT_IN_MODULEDATA)
        return self.sections[".text"].address
