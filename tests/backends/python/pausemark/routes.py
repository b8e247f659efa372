"""The contract's table of requests, and the order in which what is wrong is told."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from . import buckets, listings, objects
from .answers import Answer, Failure
from .request import Request, read_target
from .store import KEY_BYTES_MAX, Store

Operation = Callable[[Store, Request], Awaitable[Answer]]

OPERATIONS: dict[str, Operation] = {
    "GET /": buckets.list_buckets,
    "PUT /b": buckets.create_bucket,
    "HEAD /b": buckets.head_bucket,
    "DELETE /b": buckets.delete_bucket,
    "GET /b": listings.list_objects,
    "GET /b?location": buckets.get_location,
    "POST /b?delete": buckets.delete_objects,
    "PUT /b/key": objects.put_object,
    "GET /b/key": objects.get_object,
    "HEAD /b/key": objects.get_object,
    "DELETE /b/key": objects.delete_object,
}
# Parameters that S3 has and this subset has not; any other that is unknown is ignored, as S3 does.
_LEFT_OUT = re.compile(
    "X-Amz-Algorithm|X-Amz-Signature|accelerate|acl|analytics|attributes|cors|encryption|"
    "intelligent-tiering|inventory|legal-hold|lifecycle|logging|metrics|notification|object-lock|"
    "ownershipControls|partNumber|policy|policyStatus|publicAccessBlock|replication|"
    "requestPayment|restore|retention|select|tagging|torrent|uploadId|uploads|versionId|"
    "versioning|versions|website"
)
_LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_ADDRESS = r"([0-9]+\.){3}[0-9]+"
_BUCKET = re.compile(rf"(?=.{{3,63}}\Z)(?!{_ADDRESS}\Z){_LABEL}(\.{_LABEL})*")
_ALGORITHM = "AWS4-HMAC-SHA256 "
_AUTHORIZATION_FIELDS = ["Credential", "SignedHeaders", "Signature"]


async def route(store: Store, request: Request) -> Answer:
    """Steps 2 to 6 of the contract's order; the rest is the operation's."""
    read_target(request)
    _check_authorization(request.headers.get("authorization"))
    if any(_LEFT_OUT.fullmatch(name) for name in request.parameters):
        raise Failure("NotImplemented")
    if len(request.key.encode()) > KEY_BYTES_MAX:
        raise Failure("KeyTooLongError")
    if (request.bucket or request.key) and _BUCKET.fullmatch(request.bucket) is None:
        raise Failure("InvalidBucketName")
    return await _operation(request)(store, request)


def _operation(request: Request) -> Operation:
    place = "/b/key" if request.key else "/b" if request.bucket else "/"
    plain = f"{request.method} {place}"
    for name in [*(f"{plain}?{parameter}" for parameter in request.parameters), plain]:
        if name in OPERATIONS:
            return OPERATIONS[name]
    raise Failure("MethodNotAllowed")


def _check_authorization(value: str | None) -> None:
    """Signatures are read and not verified: that is the profile `verify`."""
    if value is None:
        return
    fields = value.removeprefix(_ALGORITHM).split(",")
    pairs = (field.strip(" \t").partition("=") for field in fields)
    given = {name for name, _, text in pairs if text}
    if not value.startswith(_ALGORITHM) or not given.issuperset(_AUTHORIZATION_FIELDS):
        raise Failure("AuthorizationHeaderMalformed")
