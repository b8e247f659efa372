"""Buckets and objects in memory, and the account of their bytes."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from .answers import Failure

BUCKETS_MAX = 1000
KEY_BYTES_MAX = 1024
OVERHEAD_BYTES = 512  # what an object costs beside its bytes, so that empty ones are limited too


@dataclass(frozen=True, slots=True)
class Object:
    """A body with what is told of it."""

    body: bytes
    etag: str
    kept: Sequence[tuple[str, str]]  # headers as they go on the wire
    charged_bytes: int
    modified_s: int = field(default_factory=lambda: int(time.time()))


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects by key, and the keys in order: that of code points is that of UTF-8's bytes."""

    name: str
    objects: dict[str, Object] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    created_s: int = field(default_factory=lambda: int(time.time()))

    def get(self, key: str) -> Object:
        """The object, or NoSuchKey."""
        if (found := self.objects.get(key)) is None:
            raise Failure("NoSuchKey")
        return found

    def walk(self, prefix: str, delimiter: str, after: str) -> Iterator[tuple[str, Object | None]]:
        """Keys and common prefixes behind a name, in order; a common prefix has no object."""
        at = bisect_left(self.keys, max(prefix, after))
        while at < len(self.keys) and (key := self.keys[at]).startswith(prefix):
            common = common_prefix(key, prefix, delimiter)
            if (name := common or key) > after:
                yield name, None if common else self.objects[key]
            cut = len(common)
            at = bisect_right(self.keys, common, at, key=lambda k: k[:cut]) if common else at + 1


def common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """What stands for a key and its neighbours in a listing; empty where it stands for itself.

    >>> common_prefix("a/b/c", "a/", "/"), common_prefix("a/b", "a/", "/")
    ('a/b/', '')
    """
    end = key.find(delimiter, len(prefix)) if delimiter else -1
    return "" if end < 0 else key[: end + len(delimiter)]


class Store:
    """All buckets. One thread uses it, so that nothing in it needs a lock."""

    def __init__(self, *, bytes_max: int, object_bytes_max: int) -> None:
        self.buckets: dict[str, Bucket] = {}
        self.object_bytes_max = object_bytes_max
        self._bytes_max = bytes_max
        self._charged_bytes = 0

    def bucket(self, name: str) -> Bucket:
        """The bucket, or NoSuchBucket."""
        if (found := self.buckets.get(name)) is None:
            raise Failure("NoSuchBucket")
        return found

    def create(self, name: str) -> None:
        """Make a bucket, unless it is there."""
        if name not in self.buckets and len(self.buckets) >= BUCKETS_MAX:
            raise Failure("TooManyBuckets")
        self.buckets.setdefault(name, Bucket(name))

    def remove(self, name: str) -> None:
        """Remove an empty bucket."""
        if self.bucket(name).objects:
            raise Failure("BucketNotEmpty")
        del self.buckets[name]

    def put(self, name: str, key: str, stored: Object) -> None:
        """Store an object whose bytes are charged already."""
        bucket = self.bucket(name)
        if key in bucket.objects:
            self.give_back(bucket.objects[key].charged_bytes)
        else:
            insort(bucket.keys, key)
        bucket.objects[key] = stored

    def delete(self, name: str, key: str) -> None:
        """Remove an object, if it is there."""
        bucket = self.bucket(name)
        if (stored := bucket.objects.pop(key, None)) is not None:
            del bucket.keys[bisect_left(bucket.keys, key)]
            self.give_back(stored.charged_bytes)

    def charge(self, count: int) -> None:
        """Take so many bytes of the limit, before they come."""
        if self._charged_bytes + count > self._bytes_max:
            raise Failure("SlowDown")
        self._charged_bytes += count

    def give_back(self, count: int) -> None:
        """Undo a charge."""
        self._charged_bytes -= count
