"""Finds instruction boundaries, returns and calls in one x86-64 function, or refuses it.

A probe set inside an instruction would crash the process that is watched, so nothing is guessed:
the walk must know every opcode, end exactly at the function's end, and every jump that stays inside
the function must land on a boundary that the walk found.
Source of the tables: Intel SDM volume 2, appendix A (opcode maps) and 2.1 (prefixes, ModRM, SIB).
"""

from __future__ import annotations

from typing import NamedTuple

PREFIXES = frozenset((0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3))
INVALID = frozenset(bytes.fromhex("06 07 0e 16 17 1e 1f 27 2f 37 3f 60 61 82 9a ce d4 d5 d6 ea"))
# Opcodes of the one-byte map that take a ModRM byte, besides the regular block below 0x40.
WITH_MODRM = frozenset(
    (
        *bytes.fromhex("63 69 6b c0 c1 c6 c7 f6 f7 fe ff"),
        *range(0x80, 0x90),
        *range(0xD0, 0xD4),
        *range(0xD8, 0xE0),
    )
)
IMMEDIATE_8 = frozenset(
    (
        *bytes.fromhex("6a 6b 80 83 a8 c0 c1 c6 cd eb"),
        *range(0x70, 0x80),
        *range(0xB0, 0xB8),
        *range(0xE0, 0xE8),
    )
)
IMMEDIATE_32 = frozenset((0x68, 0x69, 0x81, 0xA9, 0xC7, 0xE8, 0xE9))  # 16 bits after prefix 66
# The two-byte map (0F xx): no ModRM byte; an 8-bit immediate after ModRM.
ESCAPED_BARE = frozenset(
    (
        *bytes.fromhex("05 06 07 08 09 0b 77 a0 a1 a2 a8 a9"),
        *range(0x30, 0x38),
        *range(0xC8, 0xD0),
    )
)
ESCAPED_IMMEDIATE = frozenset((0x70, 0x71, 0x72, 0x73, 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6))

RETURN = 0xC3
CALL = 0xE8
PUSH_FRAME = 0x55  # push rbp


class UnknownCode(Exception):
    """The bytes cannot be walked with certainty; the text says where and why."""


class Instruction(NamedTuple):
    """One instruction: `offset` from the function's start, `target` of a relative jump or call."""

    offset: int
    length: int
    opcode: int  # of the one-byte map; -1 for every other map
    target: int | None


def operand_bytes(code: bytes, at: int) -> int:
    """Length of ModRM, SIB and displacement at `at`."""
    modrm = code[at]
    mode, rm = modrm >> 6, modrm & 7
    if mode == 3:
        return 1
    length = 1
    if rm == 4:
        length += 1
        if mode == 0 and code[at + 1] & 7 == 5:
            length += 4
    elif mode == 0 and rm == 5:
        length += 4
    return length + (0, 1, 4)[mode]


def vector_length(code: bytes, at: int) -> int:
    """Length of the VEX or EVEX instruction at `at`."""
    first = code[at]
    if first == 0xC5:
        map_number, opcode_at = 1, at + 2
    elif first == 0xC4:
        map_number, opcode_at = code[at + 1] & 0x1F, at + 3
    else:
        map_number, opcode_at = code[at + 1] & 7, at + 4
    if map_number not in (1, 2, 3):
        raise UnknownCode(f"vector map {map_number} at +{at}")
    opcode = code[opcode_at]
    if first != 0x62 and map_number == 1 and opcode == 0x77:  # vzeroupper
        return opcode_at + 1 - at
    length = opcode_at + 1 - at + operand_bytes(code, opcode_at + 1)
    has_immediate = map_number == 3 or (map_number == 1 and opcode in ESCAPED_IMMEDIATE)
    return length + int(has_immediate)


def escaped(code: bytes, at: int, start: int) -> tuple[int, int | None]:
    """Length from `start` and jump target of an instruction whose 0F byte is at `at`."""
    opcode = code[at + 1]
    if opcode in (0x38, 0x3A):
        length = at + 3 - start + operand_bytes(code, at + 3)
        return length + int(opcode == 0x3A), None
    if 0x80 <= opcode <= 0x8F:
        end = at + 6
        return end - start, end + int.from_bytes(code[at + 2 : end], "little", signed=True)
    if opcode in (0x04, 0x0A, 0x0C, 0x0E, 0x0F, 0x24, 0x25, 0x26, 0x27, 0x36, 0x39, 0x3B):
        raise UnknownCode(f"opcode 0f {opcode:02x} at +{start}")
    length = at + 2 - start
    if opcode not in ESCAPED_BARE:
        length += operand_bytes(code, at + 2)
    return length + int(opcode in ESCAPED_IMMEDIATE), None


def immediate_bytes(code: bytes, at: int, *, small: bool, wide: bool) -> int:
    """Length of the immediate of the one-byte-map instruction whose opcode is at `at`."""
    opcode = code[at]
    full = 2 if small else 4
    length = 0
    if opcode < 0x40:
        length = {4: 1, 5: full}.get(opcode & 7, 0)
    elif opcode in IMMEDIATE_8:
        length = 1
    elif opcode in IMMEDIATE_32:
        length = 4 if opcode in (0xE8, 0xE9) else full  # 66 does not shorten a near jump's offset
    elif 0xB8 <= opcode <= 0xBF:
        length = 8 if wide else full
    elif 0xA0 <= opcode <= 0xA3:
        length = 8
    elif opcode in (0xC2, 0xCA):
        length = 2
    elif opcode == 0xC8:
        length = 3
    elif opcode in (0xF6, 0xF7) and (code[at + 1] >> 3) & 7 < 2:
        length = 1 if opcode == 0xF6 else full
    return length


def decode(code: bytes, start: int) -> Instruction:
    """The instruction at `start`; raises UnknownCode, or IndexError where the bytes end first."""
    at, small, wide = start, False, False
    while code[at] in PREFIXES:
        small = small or code[at] == 0x66
        if code[at] == 0x67:
            raise UnknownCode(f"address-size prefix at +{start}")
        at += 1
    if 0x40 <= code[at] <= 0x4F:
        wide = bool(code[at] & 8)
        at += 1
    opcode = code[at]
    if opcode in (0xC4, 0xC5, 0x62):
        return Instruction(start, at - start + vector_length(code, at), -1, None)
    if opcode == 0x0F:
        length, target = escaped(code, at, start)
        return Instruction(start, length, -1, target)
    if opcode in INVALID:
        raise UnknownCode(f"opcode {opcode:02x} at +{start}")
    end = at + 1
    if opcode in WITH_MODRM or (opcode < 0x40 and opcode & 7 < 4):
        end += operand_bytes(code, end)
    immediate = immediate_bytes(code, at, small=small, wide=wide)
    value = int.from_bytes(code[end : end + immediate], "little", signed=True)
    end += immediate
    jumps = opcode in (0xE8, 0xE9, 0xEB) or 0x70 <= opcode <= 0x7F or 0xE0 <= opcode <= 0xE3
    return Instruction(start, end - start, opcode, end + value if jumps else None)


def walk(code: bytes) -> list[Instruction]:
    """Every instruction of a function, checked as the module says."""
    found: list[Instruction] = []
    at = 0
    while at < len(code):
        try:
            instruction = decode(code, at)
        except IndexError:
            raise UnknownCode(f"the function ends inside an instruction at +{at}") from None
        found.append(instruction)
        at += instruction.length
    if at != len(code):
        raise UnknownCode(f"the last instruction ends at +{at}, the function at +{len(code)}")
    boundaries = {instruction.offset for instruction in found}
    for instruction in found:
        target = instruction.target
        if target is not None and 0 <= target < len(code) and target not in boundaries:
            raise UnknownCode(f"jump at +{instruction.offset} into an instruction at +{target}")
    return found


def returns(instructions: list[Instruction]) -> list[int]:
    """Offsets of every return."""
    return [i.offset for i in instructions if i.opcode == RETURN]


def calls_to(instructions: list[Instruction], target: int) -> list[int]:
    """Offsets of every direct call to `target`, which is relative to the function's start."""
    return [i.offset for i in instructions if i.opcode == CALL and i.target == target]


def entry(instructions: list[Instruction]) -> int:
    """The best offset for an entry probe.

    That is `push rbp` behind Go's stack check: arguments are still in their registers, the kernel
    emulates it (the compare before it would be single-stepped), and a function that has to grow its
    stack and start again is seen once. Where there is none, the function's first instruction.
    """
    for instruction in instructions[:6]:
        if instruction.opcode == PUSH_FRAME and instruction.length == 1:
            return instruction.offset
        if instruction.opcode == CALL:
            break
    return 0
