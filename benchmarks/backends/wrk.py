"""One closed-loop load of wrk on the client's processor, and what it cost the server."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from servers import BUCKET, CLIENT_CPU, OBJECT_BYTES, OBJECT_PATH, Started, fail, needed, pin

CONNECTIONS = 64
# Well formed, so that `parse` has its work; nobody verifies it.
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/s3/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)
PUT_SCRIPT = """
wrk.headers["Authorization"] = "{authorization}"
wrk.body = string.rep("x", {bytes})
local n = 0
request = function()
  n = n + 1
  return wrk.format("PUT", "/{bucket}/key-" .. (n % 1000))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What one load came to."""

    requests: int
    seconds: float
    server_cpu_s: float

    @property
    def rate_rps(self) -> float:
        """Answers a second of wall time."""
        return self.requests / self.seconds

    @property
    def rate_per_core_rps(self) -> float:
        """Answers a second of the server's CPU time: what steal takes is in neither."""
        return self.requests / max(self.server_cpu_s, 1e-9)


def gets(server: Started, seconds: int, connections: int = CONNECTIONS) -> Load:
    """GETs of the one object."""
    return _load(server, seconds, connections, ["-H", f"Authorization: {AUTHORIZATION}"])


def puts(server: Started, seconds: int, connections: int = CONNECTIONS) -> Load:
    """PUTs of 1 KiB over a thousand keys."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(
            PUT_SCRIPT.format(authorization=AUTHORIZATION, bytes=OBJECT_BYTES, bucket=BUCKET)
        )
        script.flush()
        return _load(server, seconds, connections, ["-s", script.name])


def _load(server: Started, seconds: int, connections: int, flags: list[str]) -> Load:
    url = f"http://127.0.0.1:{server.port}{OBJECT_PATH}"
    command = [needed("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", *flags, url]
    before_s = server.cpu_s()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=pin(CLIENT_CPU),
        timeout=seconds + 30,
        check=False,
    )
    cpu_s = server.cpu_s() - before_s
    found = re.search(r"(\d+) requests in ([\d.]+)s", done.stdout)
    if found is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise fail(
            f"wrk: expected only good answers, got {done.stdout}{done.stderr}", str(Path.cwd())
        )
    return Load(int(found[1]), float(found[2]), cpu_s)
