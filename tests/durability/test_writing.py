"""What a backend writes, read by the oracle: fields, order, LSNs, epochs, fill, segments."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from tests.contract.conftest import Server
from tests.durability.kit import BUCKET, MODES, SEGMENT_BYTES, Fleet, contents, end, kill
from tests.durability.log_format import (
    CREATE_BUCKET,
    DELETE,
    DELETE_BUCKET,
    KEPT_HEADERS,
    PUT,
    Log,
    Record,
    is_lawful,
    padded,
    read_log,
    segment_name,
    segment_paths,
)

DEFAULT_TYPE = ("content-type", "binary/octet-stream")
# Where nothing changed, a record may be written or not: the law does not say.
IDEMPOTENT = {(CREATE_BUCKET, BUCKET), (DELETE, f"{BUCKET}/missing")}


def read(folder: Path) -> Log:
    """The log, which must be without a hole, and keep headers in the order of the law."""
    log = read_log(folder)
    assert log.hole is None, log.hole
    for placed in log.records:
        assert is_lawful(placed.record.metadata), placed.record
    return log


def essence(records: list[Record]) -> list[tuple[int, str, bytes]]:
    """Operation, key and data of each record; what changed nothing appears once."""
    found: list[tuple[int, str, bytes]] = []
    for record in records:
        item = (record.operation, record.key, record.data)
        if item[:2] not in IDEMPOTENT or item not in found:
            found.append(item)
    return [item for item in found if item[1] != f"{BUCKET}/missing"]


def records_of(log: Log) -> list[Record]:
    """The records without their places."""
    return [placed.record for placed in log.records]


def work(server: Server) -> list[tuple[int, str, bytes]]:
    """One write of each kind, one after the other; the records that must stand in the log."""
    server.put(f"/{BUCKET}", b"")
    server.put(f"/{BUCKET}", b"")
    server.put(f"/{BUCKET}/plain", b"first")
    server.put(f"/{BUCKET}/empty", b"")
    server.put(f"/{BUCKET}/plain", b"second")
    server.put(f"/{BUCKET}/%C3%A4%20b/c", b"name")
    assert server.ask("DELETE", f"/{BUCKET}/missing").status == 204
    assert server.ask("DELETE", f"/{BUCKET}/empty").status == 204
    server.put("/second", b"")
    assert server.ask("DELETE", "/second").status == 204
    assert server.ask("DELETE", f"/{BUCKET}").status == 409
    headers = [("If-None-Match", "*")]
    assert server.ask("PUT", f"/{BUCKET}/plain", headers, b"third").status == 412
    assert server.ask("PUT", "/nowhere/key", [], b"lost").status == 404
    return [
        (CREATE_BUCKET, BUCKET, b""),
        (PUT, f"{BUCKET}/plain", b"first"),
        (PUT, f"{BUCKET}/empty", b""),
        (PUT, f"{BUCKET}/plain", b"second"),
        (PUT, f"{BUCKET}/ä b/c", b"name"),
        (DELETE, f"{BUCKET}/empty", b""),
        (CREATE_BUCKET, "second", b""),
        (DELETE_BUCKET, "second", b""),
    ]


@pytest.mark.parametrize("mode", MODES)
def test_every_write_is_one_record_in_order(fleet: Fleet, tmp_path: Path, mode: str) -> None:
    before_ns = time.time_ns()
    server = fleet.start(tmp_path, mode)
    expected = work(server)
    kill(server)  # every mode survives the kill of the process
    log = read(tmp_path)
    assert essence(records_of(log)) == expected
    for record in records_of(log):
        digest = hashlib.md5(record.data).digest() if record.operation == PUT else bytes(16)
        assert (record.md5, record.parts) == (digest, 0), record
        assert before_ns - 10**9 <= record.time_ns <= time.time_ns() + 10**9
    claims = [r.durable_lsn for r in records_of(log)]
    if mode in {"batch", "sync"}:  # one write at a time: all before it were synced
        assert claims == [r.lsn - 1 for r in records_of(log)]
    else:
        assert all(claim < r.lsn for claim, r in zip(claims, records_of(log), strict=True))
        assert claims == sorted(claims)


def test_names_headers_and_fill(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    for size in range(1, 18):
        server.put(f"/{BUCKET}/{size}", b"\xff" * size)
    kill(server)
    log = read(tmp_path)
    assert (tmp_path / "lock").exists()
    paths = segment_paths(tmp_path)
    assert [path.name for path in paths] == [segment_name(h.first_lsn) for h in log.headers]
    data = paths[0].read_bytes()
    assert len(data) == log.headers[0].segment_bytes == SEGMENT_BYTES
    end_at = 64
    for placed in (p for p in log.records if p.file == paths[0].name):
        assert placed.offset == end_at
        stop = placed.offset + placed.length
        end_at = padded(stop)
        assert data[stop:end_at] == bytes(end_at - stop)
    assert data[end_at:] == bytes(len(data) - end_at)


def test_segments_follow_each_other(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    sizes = [10_000] * 14 + [3 * SEGMENT_BYTES] + [10_000] * 7
    for number, size in enumerate(sizes):
        server.put(f"/{BUCKET}/{number}", bytes([number]) * size)
    end(server)
    log = read(tmp_path)
    puts = [p for p in log.records if p.record.operation == PUT]
    assert [(p.record.key, len(p.record.data)) for p in puts] == [
        (f"{BUCKET}/{number}", size) for number, size in enumerate(sizes)
    ]
    assert [header.epoch for header in log.headers] == list(range(1, len(log.headers) + 1))
    assert len(log.headers) >= 5
    large = next(p for p in puts if len(p.record.data) > SEGMENT_BYTES)
    own = 64 + padded(large.length)
    assert [path.stat().st_size for path in segment_paths(tmp_path)] == [
        own if path.name == large.file else SEGMENT_BYTES for path in segment_paths(tmp_path)
    ]
    assert [p.record.lsn for p in puts if p.file == large.file] == [large.record.lsn]


def test_metadata_is_kept_in_the_order_of_the_law(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    headers = [
        ("X-Amz-Meta-Colour", "Dark Red"),
        ("Expires", "never"),
        ("Content-Encoding", "gzip"),
        ("Content-Language", "en, fr"),
        ("x-amz-meta-a", ""),
        ("Content-Disposition", 'attachment; filename="a b"'),
        ("Cache-Control", "no-cache"),
        ("Content-Type", "a/b; c=d"),
    ]
    assert server.ask("PUT", f"/{BUCKET}/k", headers, b"x").status == 200
    assert server.ask("PUT", f"/{BUCKET}/bare", [], b"x").status == 200
    told = contents(server)
    kill(server)
    kept, bare = (p.record for p in read(tmp_path).records if p.record.operation == PUT)
    sent = {name.lower(): value for name, value in headers}
    own = len(KEPT_HEADERS)
    assert kept.metadata[:own] == tuple((name, sent[name]) for name in KEPT_HEADERS)
    assert set(kept.metadata[own:]) == {("x-amz-meta-colour", "Dark Red"), ("x-amz-meta-a", "")}
    assert bare.metadata in {(), (DEFAULT_TYPE,)}
    assert contents(fleet.start(tmp_path)) == told


def test_deleting_many_writes_a_record_a_key(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    for name in "abc":
        server.put(f"/{BUCKET}/{name}", b"x")
    keys = "".join(f"<Object><Key>{name}</Key></Object>" for name in "ac")
    reply = server.ask("POST", f"/{BUCKET}?delete", [], f"<Delete>{keys}</Delete>".encode())
    if reply.status == 501 and server.backend.manifest["name"] == "planted":
        pytest.skip("the planted store deletes one by one")
    assert reply.status == 200, reply
    kill(server)
    deletes = [p.record for p in read(tmp_path).records if p.record.operation == DELETE]
    assert sorted(r.key for r in deletes) == [f"{BUCKET}/a", f"{BUCKET}/c"]
    assert [r.time_ns > 0 for r in deletes] == [True, True]


def test_chunked_bodies_are_logged_decoded(fleet: Fleet, tmp_path: Path) -> None:
    server = fleet.start(tmp_path)
    if server.backend.manifest["name"] == "planted":
        pytest.skip("the planted store takes plain bodies only")
    server.put(f"/{BUCKET}", b"")
    with server.wire() as wire:
        head = f"PUT /{BUCKET}/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        wire.send(head.encode() + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert wire.answer().status == 200
    kill(server)
    assert read(tmp_path).state[f"{BUCKET}/k"].data == b"abcde"


def test_a_multipart_object_is_one_record(fleet: Fleet, tmp_path: Path) -> None:
    if "mpu" not in fleet.backend.manifest["profiles"]:
        pytest.skip("the backend does not declare mpu")
    server = fleet.start(tmp_path)
    server.put(f"/{BUCKET}", b"")
    upload = server.ask("POST", f"/{BUCKET}/m?uploads", [("Content-Type", "a/b")], b"")
    identity = upload.xml().findtext("UploadId")
    bodies = [b"a" * (5 << 20), b"b" * 1000]
    listed = ""
    for number, body in enumerate(bodies, start=1):
        part = server.ask("PUT", f"/{BUCKET}/m?partNumber={number}&uploadId={identity}", [], body)
        tag = part.header("etag")
        listed += f"<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
    assert [r.operation for r in records_of(read(tmp_path))] == [CREATE_BUCKET]
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    assert server.ask("POST", f"/{BUCKET}/m?uploadId={identity}", [], body).status == 200
    tag = server.ask("HEAD", f"/{BUCKET}/m").header("etag") or ""
    kill(server)
    record = read(tmp_path).state[f"{BUCKET}/m"]
    digests = b"".join(hashlib.md5(part).digest() for part in bodies)
    assert (record.parts, record.md5) == (2, hashlib.md5(digests).digest())
    assert (record.etag, record.data) == (tag, b"".join(bodies))
    assert record.metadata[0] == ("content-type", "a/b")
