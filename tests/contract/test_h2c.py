"""HTTP/2 over plain TCP: the answers of HTTP/1.1, many streams at once, flow control, the end."""

from __future__ import annotations

import contextlib
import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from h2.settings import SettingCodes

from tests.contract.conftest import Server
from tests.contract.h2wire import (
    PREFACE,
    WINDOW_BYTES_FIRST,
    WINDOW_BYTES_MAX,
    H2Wire,
    Pairs,
    ResetError,
    frame,
)
from tests.contract.signing import VERIFYING, Signer
from tests.contract.wire import ClosedError, Reply, request

pytestmark = pytest.mark.protocol("h2c")

STREAMS = 100
LARGE = bytes(range(256)) * (32 << 10)  # 8 MiB
END_LIMIT_S = 2.0
ROOM_BACK_S = 5.0
CANCEL = 8
WINDOW = SettingCodes.INITIAL_WINDOW_SIZE
OF_ONE_ANSWER = re.compile(
    rb"<(RequestId|LastModified|CreationDate|UploadId)>[^<]*</\1>",
)
OF_A_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"}

Asked = tuple[str, str, Sequence[tuple[str, str]], bytes | None]
DELETION = (
    b"<Delete><Object><Key>a</Key></Object><Object><Key>b c</Key></Object>"
    b"<Object><Key>missing</Key></Object></Delete>"
)
# A life of a bucket from its making to its end, so that it can be lived twice; {} is its name.
LIFE: list[Asked] = [
    ("PUT", "/{}", [], b""),
    ("PUT", "/{}", [], b""),
    ("HEAD", "/{}", [], None),
    ("GET", "/{}?location", [], None),
    ("PUT", "/{}/a", [("Content-Type", "text/plain"), ("x-amz-meta-b", "1")], b"0123456789"),
    ("PUT", "/{}/b%20c", [("Cache-Control", "no-cache"), ("X-Amz-Meta-A", "2")], b""),
    ("GET", "/{}/a", [], None),
    ("HEAD", "/{}/a", [], None),
    ("GET", "/{}/b%20c", [], None),
    ("GET", "/{}/a", [("Range", "bytes=2-4")], None),
    ("GET", "/{}/a", [("Range", "bytes=-3")], None),
    ("HEAD", "/{}/a", [("Range", "bytes=2-4")], None),
    ("GET", "/{}/a", [("Range", "bytes=10-")], None),
    ("GET", "/{}/a", [("If-None-Match", '"781e5e245d69b566979b86e28d23f2c7"')], None),
    ("GET", "/{}/a", [("If-Match", '"0"')], None),
    ("HEAD", "/{}/a", [("If-Match", '"0"')], None),
    ("PUT", "/{}/a", [("If-None-Match", "*")], b"later"),
    ("PUT", "/{}/a", [("If-Match", '"0"')], b"later"),
    ("PUT", "/{}/c", [("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==")], b"other"),
    ("PUT", "/{}/c", [("Content-MD5", "no")], b"other"),
    ("PUT", "/{}/c", [("x-amz-checksum-crc32", "AAAAAA==")], b"other"),
    ("PUT", "/{}/c", [("x-amz-meta-long", "v" * 2100)], b"x"),
    ("PUT", "/{}/" + "k" * 1025, [], b"x"),
    ("GET", "/{}/c", [], None),
    ("HEAD", "/{}/c", [], None),
    ("GET", "/{}?list-type=2", [], None),
    ("GET", "/{}?list-type=2&max-keys=1", [], None),
    ("GET", "/{}?prefix=b&encoding-type=url", [], None),
    ("GET", "/{}?list-type=2&max-keys=-1", [], None),
    ("GET", "/{}?acl", [], None),
    ("GET", "/{}/%ff", [], None),
    ("PATCH", "/{}/a", [], b"x"),
    ("GET", "/{}/a", [("Authorization", "nonsense")], None),
    ("GET", "/no-such-bucket/a", [], None),
    ("PUT", "/no-such-bucket/a", [], b"x"),
    ("PUT", "/UPPER", [], b""),
    ("DELETE", "/{}", [], None),
    ("POST", "/{}?delete", [], b"no xml"),
    ("DELETE", "/{}/missing", [], None),
    ("POST", "/{}?delete", [], DELETION),
    ("GET", "/{}?list-type=2", [], None),
    ("DELETE", "/{}", [], None),
    ("GET", "/{}?list-type=2", [], None),
    ("GET", "/", [], None),
]
NO_URL: Asked = ("GET", "/{}/%zz", [], None)  # for those whose parser does not answer it alone


@pytest.fixture
def h2(server: Server) -> Iterator[H2Wire]:
    """A connection of the test's own."""
    with H2Wire(server.port) as wire:
        yield wire


def comparable(reply: Reply, server: Server) -> tuple[int, object, bytes]:
    """What must not depend on the protocol."""
    pairs = [(name.lower(), value) for name, value in reply.headers]
    pairs = [(name, value) for name, value in pairs if name not in OF_A_CONNECTION]
    own = {"date", "x-amz-request-id", "last-modified"}
    pairs = [(name, "" if name in own else value) for name, value in pairs]
    if server.backend.chooses("header_order"):
        pairs.sort()
    return reply.status, pairs, OF_ONE_ANSWER.sub(b"", reply.body)


def test_every_answer_is_the_one_of_http_1(server: Server, h2: H2Wire) -> None:
    name = "both-protocols"
    life = [*LIFE[:-2], *([] if server.backend.chooses("parser_errors") else [NO_URL]), *LIFE[-2:]]
    asked: list[Asked] = [(m, target.format(name), h, b) for m, target, h, b in life]
    with server.wire() as wire:
        expected = [wire.ask(*one) for one in asked]
    statuses = {reply.status for reply in expected}
    assert statuses >= {200, 204, 206, 304, 400, 404, 405, 409, 412, 416, 501}
    for one, before in zip(asked, expected, strict=True):
        reply = h2.ask(*one)
        assert comparable(reply, server) == comparable(before, server), one


def test_names_are_lower_case_and_nothing_tells_of_a_connection(
    server: Server, bucket: str, h2: H2Wire
) -> None:
    server.put(f"/{bucket}/k", b"x", X_Amz_Meta_Colour="Dark Red")
    for target in (f"/{bucket}/k", f"/{bucket}/missing", "/"):
        reply = h2.ask("GET", target)
        assert [n for n in reply.names() if n != n.lower()] == []
        assert not OF_A_CONNECTION & set(reply.names())
        assert re.fullmatch("[0-9A-F]{16}", reply.header("x-amz-request-id") or "")
        assert reply.header("date") is not None


def test_every_answer_has_its_own_request_id_and_the_error_tells_it(h2: H2Wire) -> None:
    replies = [h2.ask("GET", "/no-such-bucket/k") for _ in range(20)]
    ids = [reply.header("x-amz-request-id") for reply in replies]
    assert len(set(ids)) == len(ids)
    assert [reply.xml().findtext("RequestId") for reply in replies] == ids


def test_100_streams_at_once_on_one_connection(server: Server, bucket: str, h2: H2Wire) -> None:
    h2.settled()
    assert (h2.h2.remote_settings.max_concurrent_streams or 0) >= STREAMS
    writes = [h2.head("PUT", f"/{bucket}/{n}", [("content-length", "8")]) for n in range(STREAMS)]
    for half in (b"%04d", b"%04d"):
        for number, stream in enumerate(writes):
            h2.h2.send_data(stream, half % number)
        h2.flush()  # the halves of all bodies interleave
    for stream in reversed(writes):
        h2.h2.end_stream(stream)
    h2.flush()
    assert {h2.answer(stream).status for stream in writes} == {200}
    reads = [h2.start("GET", f"/{bucket}/{number}") for number in range(STREAMS)]
    expected = [b"%04d%04d" % (number, number) for number in range(STREAMS)]
    assert [h2.answer(stream).body for stream in reads] == expected
    assert server.ask("GET", f"/{bucket}/99").body == b"00990099"


def test_one_connection_serves_thousands_of_streams(bucket: str, h2: H2Wire) -> None:
    h2.ask("PUT", f"/{bucket}/k", [], b"body")
    for _ in range(50):
        streams = [h2.start("GET", f"/{bucket}/k", [("x-n", "v")]) for _ in range(40)]
        assert {h2.answer(stream).body for stream in streams} == {b"body"}


def test_a_large_body_goes_in_and_out(server: Server, bucket: str, h2: H2Wire) -> None:
    reply = h2.ask("PUT", f"/{bucket}/large", [], LARGE)
    assert reply.status == 200
    assert server.ask("GET", f"/{bucket}/large").body == LARGE
    assert h2.ask("GET", f"/{bucket}/large").body == LARGE
    assert (
        h2.ask("GET", f"/{bucket}/large", [("Range", "bytes=1000000-4000000")]).body
        == (LARGE[1_000_000:4_000_001])
    )


def test_a_body_without_a_length_is_stored(server: Server, bucket: str, h2: H2Wire) -> None:
    stream = h2.head("PUT", f"/{bucket}/k")
    h2.body(stream, b"as if chunked")
    assert h2.answer(stream).status == 200
    assert server.ask("GET", f"/{bucket}/k").body == b"as if chunked"


def test_no_byte_comes_beyond_the_window(server: Server, bucket: str, h2: H2Wire) -> None:
    server.put(f"/{bucket}/large", LARGE)
    h2.grants = False
    h2.grant(WINDOW_BYTES_MAX - WINDOW_BYTES_FIRST)  # of the connection, not of the stream
    stream = h2.start("GET", f"/{bucket}/large")
    assert h2.comes(stream, WINDOW_BYTES_FIRST) == LARGE[:WINDOW_BYTES_FIRST]
    assert h2.ask("GET", "/").status == 200  # another stream does not wait for this one
    h2.grant(100, stream)
    assert len(h2.comes(stream, WINDOW_BYTES_FIRST + 100)) == WINDOW_BYTES_FIRST + 100
    h2.grant(len(LARGE), stream)
    assert h2.answer(stream).body == LARGE


def test_a_window_that_the_settings_narrow_holds(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", b"0123456789")
    with H2Wire(server.port, settings={WINDOW: 3}, grants=False) as h2:
        h2.settled()
        stream = h2.start("GET", f"/{bucket}/k")
        assert h2.comes(stream, 3) == b"012"
        h2.h2.update_settings({WINDOW: 5})  # the window of streams that are open moves with it
        h2.flush()
        assert h2.comes(stream, 5) == b"01234"
        h2.grant(5, stream)
        assert h2.answer(stream).body == b"0123456789"


def test_a_client_that_does_not_read_gets_all_later(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/large", LARGE)
    before = server.running.memory_bytes()
    with H2Wire(server.port, settings={WINDOW: WINDOW_BYTES_MAX}) as h2:
        h2.grant(WINDOW_BYTES_MAX - WINDOW_BYTES_FIRST)
        streams = [h2.start("GET", f"/{bucket}/large") for _ in range(16)]
        time.sleep(1.0)
        assert server.ask("GET", "/").status == 200
        assert server.running.memory_bytes() - before < 4 * len(LARGE)
        for stream in streams:
            assert h2.answer(stream).body == LARGE


def test_a_slow_upload_holds_up_nobody(bucket: str, h2: H2Wire) -> None:
    slow = h2.head("PUT", f"/{bucket}/slow", [("content-length", "10")])
    h2.body(slow, b"01234", end=False)
    assert h2.ask("PUT", f"/{bucket}/fast", [], b"x").status == 200
    assert h2.ask("GET", f"/{bucket}/slow").status == 404
    h2.body(slow, b"56789")
    assert h2.answer(slow).status == 200
    assert h2.ask("GET", f"/{bucket}/slow").body == b"0123456789"


@pytest.mark.parametrize("length", [[], [("content-length", "100")]])
def test_a_reset_in_an_upload_stores_nothing(bucket: str, h2: H2Wire, length: Pairs) -> None:
    stream = h2.head("PUT", f"/{bucket}/k", length)
    h2.body(stream, b"only this", end=False)
    h2.h2.reset_stream(stream, CANCEL)
    h2.flush()
    assert h2.ask("GET", "/").status == 200
    time.sleep(0.1)
    assert h2.ask("HEAD", f"/{bucket}/k").status == 404


@pytest.mark.parametrize("length", [[], [("content-length", "100")]])
def test_a_connection_lost_in_an_upload_stores_nothing(
    server: Server, bucket: str, length: Pairs
) -> None:
    with H2Wire(server.port) as h2:
        stream = h2.head("PUT", f"/{bucket}/k", length)
        h2.body(stream, b"only this", end=False)
    time.sleep(0.2)
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


@pytest.mark.parametrize("length", ["3", "9"])
def test_a_body_of_another_length_than_promised_stores_nothing(
    server: Server, bucket: str, length: str
) -> None:
    with H2Wire(server.port) as h2:
        stream = h2.head("PUT", f"/{bucket}/k", [("content-length", length)])
        h2.body(stream, b"hello")
        with contextlib.suppress(ResetError, ClosedError):
            assert h2.answer(stream).status == 400
    assert server.ask("HEAD", f"/{bucket}/k").status == 404


def test_uploads_that_were_reset_give_their_room_back(start_server: Callable[..., Server]) -> None:
    server = start_server("--store-bytes-max", str(8 << 20))
    bucket = server.new_bucket()
    with H2Wire(server.port) as h2:
        for _ in range(20):
            stream = h2.head("PUT", f"/{bucket}/k", [("content-length", "4000000")])
            h2.body(stream, b"x" * 1000, end=False)
            h2.h2.reset_stream(stream, CANCEL)
            h2.flush()
        # A reset has no answer that could be waited for: whoever served it may still be ending.
        ends_s = time.monotonic() + ROOM_BACK_S
        while h2.ask("PUT", f"/{bucket}/k", [], b"x" * (4 << 20)).status != 200:
            assert time.monotonic() < ends_s, "the room of uploads that were reset never came back"
            time.sleep(0.02)


def test_a_body_over_the_limit_is_refused_and_the_connection_goes_on(
    start_server: Callable[..., Server],
) -> None:
    server = start_server("--object-bytes-max", "1000")
    bucket = server.new_bucket()
    with H2Wire(server.port) as h2:
        for _ in range(3):
            reply = h2.ask("PUT", f"/{bucket}/k", [], b"x" * 200_000)
            assert (reply.status, reply.code()) == (400, "EntityTooLarge")
            assert h2.ask("PUT", f"/{bucket}/fits", [], b"x" * 1000).status == 200
        assert h2.ask("HEAD", f"/{bucket}/k").status == 404


def test_trailers_end_an_upload(bucket: str, h2: H2Wire) -> None:
    stream = h2.head("PUT", f"/{bucket}/k", [("content-length", "5")])
    h2.body(stream, b"hello", end=False)
    h2.h2.send_headers(stream, [("x-trailer", "1")], end_stream=True)
    h2.flush()
    assert h2.answer(stream).status == 200
    assert h2.ask("GET", f"/{bucket}/k").body == b"hello"


def test_padding_and_empty_data_are_no_part_of_a_body(bucket: str, h2: H2Wire) -> None:
    stream = h2.head("PUT", f"/{bucket}/k", [("content-length", "5")])
    h2.h2.send_data(stream, b"he", pad_length=200)
    h2.h2.send_data(stream, b"")
    h2.h2.send_data(stream, b"llo", pad_length=0, end_stream=True)
    h2.flush()
    assert h2.answer(stream).status == 200
    assert h2.ask("GET", f"/{bucket}/k").body == b"hello"


def test_expect_100_is_answered_at_most_once_and_never_needed(bucket: str, h2: H2Wire) -> None:
    headers = [("expect", "100-continue"), ("content-length", "5")]
    stream = h2.head("PUT", f"/{bucket}/k", headers)
    h2.pause(0.3)
    h2.body(stream, b"hello")
    reply = h2.answer(stream)
    assert reply.status == 200
    assert reply.interim in {(), (100,)}


def test_an_encoder_without_a_table_is_asked_for_and_kept(server: Server, bucket: str) -> None:
    server.put(f"/{bucket}/k", b"x", X_Amz_Meta_Colour="Dark Red")
    with H2Wire(server.port, settings={SettingCodes.HEADER_TABLE_SIZE: 0}) as h2:
        h2.settled()
        for _ in range(5):
            assert h2.ask("GET", f"/{bucket}/k").header("x-amz-meta-colour") == "Dark Red"


def test_both_protocols_meet_on_one_port_however_the_preface_is_cut(server: Server) -> None:
    for cut in (1, 3, 4, 14, 16, 23):
        with server.wire() as wire:
            wire.send(PREFACE[:cut])
            time.sleep(0.05)
            wire.send(PREFACE[cut:] + frame(4, 0, 0))
            assert wire.pending(2.0)[3:4] == b"\x04", f"no SETTINGS after a cut at {cut}"
        with server.wire() as wire:
            wire.send(request("GET", "/"))
            assert wire.answer().status == 200


@pytest.mark.parametrize("cuts", [(1,), (2,), (3,), (4,), (1, 2, 3), (20,)])
def test_http_1_that_begins_like_a_preface_may_come_in_pieces(
    server: Server, bucket: str, cuts: tuple[int, ...]
) -> None:
    whole = request("PUT", f"/{bucket}/k", [], b"hello")
    with server.wire() as wire:
        for start, end in itertools.pairwise((0, *cuts, len(whole))):
            wire.send(whole[start:end])
            time.sleep(0.05)
        assert wire.answer("PUT").status == 200
        assert wire.ask("GET", f"/{bucket}/k").body == b"hello"


@pytest.mark.parametrize("cut", [0, 3, 5])
@pytest.mark.parametrize(
    "sent",
    [
        b"PRI / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\nHost: 127.0.0.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n" + frame(4, 0, 0),
    ],
    ids=["of HTTP/1.1", "with a header", "to its second half"],
)
def test_what_is_a_preface_at_first_alone_is_refused(server: Server, sent: bytes, cut: int) -> None:
    with server.wire() as wire:
        wire.send(sent[:cut])
        time.sleep(0.05)
        wire.send(sent[cut:])
        with contextlib.suppress(ClosedError):
            assert wire.answer().status in ({400, 405} if b"HTTP/1.1" in sent else {400})
    assert server.ask("GET", "/").status == 200


def test_unknown_frames_and_settings_are_ignored(h2: H2Wire) -> None:
    h2.send(frame(0xBE, 0xFF, 0, b"x" * 100) + frame(0xBE, 0xFF, 1, b"x"))
    h2.send(frame(4, 0, 0, b"\xbe\xef\x00\x00\x00\x01"))
    h2.send(frame(2, 0, 5, b"\x00\x00\x00\x00\x10"))  # PRIORITY of an idle stream
    assert h2.ask("GET", "/").status == 200
    h2.h2.ping(b"12345678")
    h2.flush()
    ends_s = time.monotonic() + 5.0
    while h2.acknowledged < 2 and time.monotonic() < ends_s:
        h2.pause(0.05)
    assert h2.acknowledged >= 2


@pytest.mark.profile("verify")
def test_a_signature_is_verified_with_the_authority_as_host(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(*VERIFYING)
    with H2Wire(server.port) as h2:
        assert h2.ask("GET", "/").code() == "AccessDenied"
        plain = [("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
        assert (
            h2.ask("PUT", "/signed", Signer().sign("PUT", "/signed", plain)[0], b"").status == 200
        )
        headers = Signer().sign("PUT", "/signed/k", plain)[0]
        assert h2.ask("PUT", "/signed/k", headers, b"body").status == 200
        assert h2.ask("PUT", "/signed/other", headers, b"x").code() == "SignatureDoesNotMatch"
        other = Signer().sign("GET", "/signed/k", plain, host="other")[0]
        assert h2.ask("GET", "/signed/k", other).code() == "SignatureDoesNotMatch"


def test_the_end_is_told_and_an_upload_may_finish(start_server: Callable[..., Server]) -> None:
    server = start_server()
    bucket = server.new_bucket()
    with H2Wire(server.port) as h2:
        stream = h2.head("PUT", f"/{bucket}/k", [("content-length", "10")])
        h2.body(stream, b"01234", end=False)
        h2.pause(0.2)
        server.running.signal(signal.SIGTERM)
        assert h2.ends(1.0), "no GOAWAY"
        assert (h2.goaway, h2.ended) == (0, False)
        h2.body(stream, b"56789")
        assert h2.answer(stream).status == 200
        assert server.running.wait(END_LIMIT_S) == 0


def test_an_idle_connection_does_not_hold_up_the_end(start_server: Callable[..., Server]) -> None:
    server = start_server()
    with H2Wire(server.port) as h2, H2Wire(server.port) as half:
        assert h2.ask("GET", "/").status == 200
        half.head("PUT", "/no-bucket/k", [("content-length", "10")])
        server.running.signal(signal.SIGTERM)
        assert server.running.wait(END_LIMIT_S + 0.5) == 0
