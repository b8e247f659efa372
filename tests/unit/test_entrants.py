"""Who takes part in a run: variants by name or by track, and the one track of them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import entrants
from harness.errors import UsageError

HEAD = """
schema = 1
name = "{name}"
title = "t"
language = "L"
license = "x"
collector = "none"
build = {{ artifact = "a" }}
run = {{ command = ["{{artifact}}"] }}
"""
VARIANT = """
[[variants]]
name = "{name}"
title = "t"
tracks = {tracks}
protocols = {protocols}
default = {default}
"""
BACKENDS = {
    "one": {"std": ["idiomatic", "cross"], "loop": ["controlled"]},
    "two": {"std": ["idiomatic", "controlled", "cross"]},
    "three": {"odd": ["article"]},
    "four": {"two": ["idiomatic", "cross"], "std": ["cross"]},
}
PROTOCOLS = {"two": ["h2c", "h1"]}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Backends on different tracks."""
    for name, variants in BACKENDS.items():
        text = HEAD.format(name=name)
        for number, (variant, tracks) in enumerate(variants.items()):
            default = str(number == 0).lower()
            text += VARIANT.format(
                name=variant,
                tracks=tracks,
                default=default,
                protocols=PROTOCOLS.get(variant, ["h1"]),
            )
        (tmp_path / name).mkdir()
        (tmp_path / name / "backend.toml").write_text(text)
    return {name: tmp_path / name for name in BACKENDS}


def chosen(
    folders: dict[str, Path], *names: str, track: str | None = None
) -> tuple[list[str], str]:
    """Names of the subjects, and their track."""
    found = entrants.choose(names, (), folders=folders, protocol="h1", track=track, labels=[""])
    return [subject.name for subject in found.subjects], found.track


def test_default_variants_meet_on_the_first_track_that_all_list(folders: dict[str, Path]) -> None:
    assert chosen(folders, "one", "two") == (["one/std", "two/std"], "idiomatic")
    assert chosen(folders, "three") == (["three/odd"], "article")


def test_a_track_chooses_the_variant(folders: dict[str, Path]) -> None:
    wanted = (["one/loop", "two/std"], "controlled")
    assert chosen(folders, "one,two", track="controlled") == wanted
    assert chosen(folders, "one", "two/std", track="controlled") == wanted


def test_without_names_those_that_are_not_on_the_track_stay_away(folders: dict[str, Path]) -> None:
    wanted = ["one/std", "two/std", "four/two", "four/std"]
    assert chosen(folders, track="cross") == (wanted, "cross")
    assert chosen(folders, "four/std,four", track="cross") == (["four/std", "four/two"], "cross")


def test_a_named_variant_decides_the_track(folders: dict[str, Path]) -> None:
    assert chosen(folders, "one/loop", "two") == (["one/loop", "two/std"], "controlled")


@pytest.mark.parametrize(
    ("names", "track", "where", "said"),
    [
        (("one", "three"), None, "--backend", "share a track, got one/std: idiomatic, cross"),
        (("one/loop",), "cross", "--track", "share cross, got one/loop: controlled"),
        (("three",), "controlled", "--track", "three: no variant on track 'controlled'"),
        (("one", "three"), "controlled", "--track", "three: no variant"),
    ],
)
def test_tracks_do_not_mix(
    folders: dict[str, Path], names: tuple[str, ...], track: str | None, where: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(folders, *names, track=track)
    assert where in str(caught.value)
    assert said in str(caught.value)


def protocol(folders: dict[str, Path], *names: str, asked: str | None = None) -> str:
    """The protocol of a run of these."""
    return entrants.choose(
        names, (), folders=folders, protocol=asked, track="idiomatic", labels=[""]
    ).protocol


def test_the_protocol_is_the_first_that_each_lists(folders: dict[str, Path]) -> None:
    assert protocol(folders, "one", "two") == "h1"
    assert protocol(folders, "four") == "h2c"
    assert protocol(folders, "four", asked="h1") == "h1"


def test_a_run_never_mixes_protocols(folders: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match=r"four/two: h2c"):
        protocol(folders, "one", "four")
    assert protocol(folders, "one", "four", asked="h1") == "h1"
    with pytest.raises(UsageError, match=r"one/std speaks h1, not h2c"):
        protocol(folders, "one", "four", asked="h2c")


def test_where_transports_are_compared_each_speaks_its_own(folders: dict[str, Path]) -> None:
    names = ("two", "four")
    found = entrants.choose(
        names, (), folders=folders, protocol=None, track="cross", labels=["", "twin"]
    )
    assert found.protocol == ""
    assert found.protocols == {
        "two/std": "h1",
        "two/std (twin)": "h1",
        "four/two": "h2c",
        "four/two (twin)": "h2c",
        "four/std": "h1",
        "four/std (twin)": "h1",
    }
    alone = entrants.choose(
        ("four/two",), (), folders=folders, protocol=None, track="cross", labels=[""]
    )
    assert (alone.protocol, alone.protocols) == ("h2c", {})
