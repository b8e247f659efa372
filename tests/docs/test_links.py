"""Links resolve, and no tracked file points to a place that only some machine knows."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import anchors, links, pages
from tests.test_tidy import GENERATED, ROOT, tracked

# Hosts that the project may name: each is public and needed where it stands.
HOSTS = {
    "127",  # as in a pattern: 127\.0\.0\.1
    "127.0.0.1",
    "localhost",
    "host",  # http://host:port/ in help and documents
    "s3.amazonaws.com",  # the XML namespace of S3
    "www.w3.org",  # the namespace of SVG and of XML Schema
    "json-schema.org",
    "www.apache.org",  # the licence
    "github.com",
}
URL = re.compile(r"https?://(?:[^@/\s\"'<>`]*@)?([A-Za-z0-9][A-Za-z0-9.-]*)")


@pytest.mark.parametrize("page", pages())
def test_links_resolve(page: str) -> None:
    broken = []
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists():
            broken.append(f"{link}: there is no {path.resolve()}")
        elif anchor and anchor not in anchors(path):
            broken.append(f"{link}: {target or page} has no heading #{anchor}")
    assert not broken, "\n".join(broken)


def test_pages_are_reached_from_the_readme() -> None:
    """Every page under docs/ can be found by following links."""
    seen: set[str] = set()
    waiting = ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        for link in links(page):
            path = ((ROOT / page).parent / link.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.is_file() and path.is_relative_to(ROOT):
                waiting.append(str(path.relative_to(ROOT)))
    lost = [page for page in pages() if page.startswith("docs/") and page not in seen]
    assert not lost, f"no link leads to {', '.join(lost)}"


def test_only_public_hosts_are_named() -> None:
    found = []
    for name in tracked():
        if GENERATED.search(name) and not name.endswith("requirements.lock"):
            continue
        text = (ROOT / name).read_bytes().decode("utf-8", "replace")
        for host in set(URL.findall(text)):
            if host not in HOSTS and not host.startswith("127.") and not is_example(host):
                found.append(f"{name}: names {host}")
    assert not found, "\n".join(found)


def is_example(host: str) -> bool:
    """Names that belong to nobody (RFC 2606)."""
    return host.endswith((".example", ".invalid", ".test", "example.com", "example.org"))
