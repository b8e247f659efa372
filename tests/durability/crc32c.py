"""CRC-32C (Castagnoli, as in RFC 3720) in Python: byte by byte, and in lanes of numpy when long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

POLYNOMIAL = 0x82F63B78  # reflected
LANES = 512  # so many parts of long data are computed side by side
SHORT_BYTES = 8 * LANES

Words = npt.NDArray[np.uint32]


def _byte_table() -> list[int]:
    table = []
    for byte in range(256):
        register = byte
        for _ in range(8):
            register = (register >> 1) ^ (POLYNOMIAL if register & 1 else 0)
        table.append(register)
    return table


TABLE = _byte_table()
TABLE_WORDS: Words = np.array(TABLE, np.uint32)


def crc32c(data: bytes) -> int:
    """The checksum of the bytes."""
    if len(data) < SHORT_BYTES:
        return _register(data, 0xFFFFFFFF) ^ 0xFFFFFFFF
    lane_bytes = len(data) // LANES
    cut = len(data) - lane_bytes * LANES
    start = _register(data[:cut], 0xFFFFFFFF)
    lanes = np.frombuffer(data, np.uint8, offset=cut).reshape(LANES, lane_bytes)
    registers: Words = np.zeros(LANES, np.uint32)
    registers[0] = start
    for column in range(lane_bytes):
        index = (registers ^ lanes[:, column]) & np.uint32(0xFF)
        registers = TABLE_WORDS[index] ^ (registers >> np.uint32(8))
    return _joined(registers, lane_bytes) ^ 0xFFFFFFFF


def _register(data: bytes, register: int) -> int:
    for byte in data:
        register = TABLE[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register


def _joined(registers: Words, lane_bytes: int) -> int:
    """Fold neighbours: a register runs on over the zeros of its neighbour's length, plus its."""
    shift = _zeros_operator(lane_bytes)
    while len(registers) > 1:
        registers = _applied(shift, registers[0::2]) ^ registers[1::2]
        shift = _applied(shift, shift)  # twice the length
    return int(registers[0])


def _zeros_operator(zeros: int) -> Words:
    """What so many zero bytes make of each single bit of a register (linear over GF(2))."""
    bits: Words = np.uint32(1) << np.arange(32, dtype=np.uint32)
    one = TABLE_WORDS[bits & np.uint32(0xFF)] ^ (bits >> np.uint32(8))
    result = bits
    while zeros:
        if zeros & 1:
            result = _applied(one, result)
        one = _applied(one, one)
        zeros >>= 1
    return result


def _applied(operator: Words, registers: Words) -> Words:
    result = np.zeros_like(registers)
    for bit in range(32):
        chosen = (registers >> np.uint32(bit)) & np.uint32(1)
        result ^= chosen * operator[bit]
    return result
