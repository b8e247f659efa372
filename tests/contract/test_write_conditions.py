"""A write's conditions: If-Match and If-None-Match on PUT, and on what else makes an object."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence

import pytest

from tests.contract.conftest import Server
from tests.contract.uploads import begin
from tests.contract.wire import request

OLD_BODY, NEW_BODY = b"what is there", b"what would take its place"
TAG = f'"{hashlib.md5(OLD_BODY).hexdigest()}"'
OTHER = '"00000000000000000000000000000000"'
MISSING, FAILED = (404, "NoSuchKey"), (412, "PreconditionFailed")
CASES = [
    ([("If-Match", TAG)], (200, None), MISSING),
    ([("If-Match", TAG.strip('"'))], (200, None), MISSING),
    ([("If-Match", f"{OTHER}, {TAG}")], (200, None), MISSING),
    ([("If-Match", "*")], (200, None), MISSING),
    ([("If-Match", OTHER)], FAILED, MISSING),
    ([("If-None-Match", "*")], FAILED, (200, None)),
    ([("If-None-Match", TAG)], FAILED, (200, None)),
    ([("If-None-Match", TAG.strip('"'))], FAILED, (200, None)),
    ([("If-None-Match", f"{OTHER}, {TAG}")], FAILED, (200, None)),
    ([("If-None-Match", OTHER)], (200, None), (200, None)),
    ([("If-Match", TAG), ("If-None-Match", OTHER)], (200, None), MISSING),
    ([("If-Match", TAG), ("If-None-Match", TAG)], FAILED, MISSING),
    ([("If-Match", OTHER), ("If-None-Match", OTHER)], FAILED, MISSING),
    ([("If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT")], (200, None), (200, None)),
]
Headers = Sequence[tuple[str, str]]
Told = tuple[int, str | None]


def check(server: Server, target: str, told: Told, wanted: Told, before: bytes | None) -> None:
    """The answer is the wanted one, and the object is new exactly when it is a 200."""
    assert told == wanted
    after = server.ask("GET", target)
    if wanted[0] == 200:
        assert after.body == NEW_BODY
    elif before is None:
        assert after.status == 404
    else:
        assert after.body == before


@pytest.mark.parametrize(("headers", "present", "absent"), CASES)
def test_a_put_with_conditions(
    server: Server, bucket: str, headers: Headers, present: Told, absent: Told
) -> None:
    server.put(f"/{bucket}/there", OLD_BODY)
    for key, wanted, before in (("there", present, OLD_BODY), ("absent", absent, None)):
        reply = server.ask("PUT", f"/{bucket}/{key}", headers, NEW_BODY)
        check(server, f"/{bucket}/{key}", (reply.status, reply.code()), wanted, before)


@pytest.mark.profile("mpu")
@pytest.mark.parametrize(("headers", "present", "absent"), CASES)
def test_a_completed_upload_with_conditions(
    server: Server, bucket: str, headers: Headers, present: Told, absent: Told
) -> None:
    server.put(f"/{bucket}/there", OLD_BODY)
    for key, wanted, before in (("there", present, OLD_BODY), ("absent", absent, None)):
        upload = begin(server, f"/{bucket}/{key}")
        upload.put(1, NEW_BODY)
        reply = upload.complete(headers=headers)
        check(server, upload.target, (reply.status, reply.code()), wanted, before)
        if wanted[0] != 200:  # it is still open
            assert upload.complete().status == 200


@pytest.mark.profile("mpu")
@pytest.mark.parametrize(("headers", "present", "absent"), CASES)
def test_a_copy_with_conditions(
    server: Server, bucket: str, headers: Headers, present: Told, absent: Told
) -> None:
    server.put(f"/{bucket}/source", NEW_BODY)
    server.put(f"/{bucket}/there", OLD_BODY)
    source = [("x-amz-copy-source", f"/{bucket}/source"), *headers]
    for key, wanted, before in (("there", present, OLD_BODY), ("absent", absent, None)):
        reply = server.ask("PUT", f"/{bucket}/{key}", source, b"")
        check(server, f"/{bucket}/{key}", (reply.status, reply.code()), wanted, before)


def test_a_condition_that_fails_is_told_before_the_body_is_asked_for(
    server: Server, bucket: str
) -> None:
    server.put(f"/{bucket}/k", OLD_BODY)
    for headers, status in (([("If-Match", OTHER)], 412), ([("If-None-Match", TAG)], 412)):
        asked = [*headers, ("Expect", "100-continue"), ("Content-Length", "5")]
        with server.wire() as wire:
            wire.send(request("PUT", f"/{bucket}/k", asked))
            reply = wire.answer("PUT")
            assert reply.status == status
            assert reply.interim in server.interims_unasked
    with server.wire() as wire:
        wire.send(
            request(
                "PUT",
                f"/{bucket}/absent",
                [("If-Match", "*"), ("Expect", "100-continue"), ("Content-Length", "5")],
            )
        )
        reply = wire.answer("PUT")
        assert reply.status == 404
        assert reply.interim in server.interims_unasked


def test_of_writers_with_one_etag_one_wins(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", OLD_BODY)
    statuses: list[int] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        body = b"%d" % number * 100
        start.wait()
        reply = server.ask("PUT", f"/{bucket}/k", [("If-Match", TAG)], body)
        statuses.append(reply.status)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [412] * 7
