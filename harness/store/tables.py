"""Parquet tables of nouns: a row a noun, a column a field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import UsageError
from harness.store.run_folder import write_atomically

T = TypeVar("T", bound=msgspec.Struct)


def write(path: Path, rows: Sequence[msgspec.Struct]) -> None:
    """All rows; None becomes a null, and an empty list a table without columns."""
    table = pa.Table.from_pylist([msgspec.to_builtins(row) for row in rows])
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    write_atomically(path, sink.getvalue().to_pybytes())


def read(path: Path, kind: type[T]) -> list[T]:
    """The rows as `kind`; UsageError when the file is damaged or of another version."""
    try:
        rows = pq.read_table(path).to_pylist()
        return [msgspec.convert(row, kind, strict=False) for row in rows]
    except (OSError, pa.ArrowException, msgspec.ValidationError) as error:
        raise UsageError(
            str(path), f"cannot be read as {kind.__name__}: {error}", hint="measure again"
        ) from error
