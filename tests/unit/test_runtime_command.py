"""Command lines, toolchains and receipts of backends."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.drivers.command import compose, effective_options
from harness.drivers.manifests import find_backends, read_backend
from harness.drivers.receipt import parse_toolchain, sources, sources_digest, version_line
from harness.errors import BuildFailed, UsageError
from harness.model.manifest import BackendManifest, Build, Option, Run, Variant
from harness.model.plan import Subject

FAULTY = Path(__file__).resolve().parents[1] / "backends" / "faulty"
VALUES = {
    "artifact": "/a/x",
    "address": "127.0.0.1",
    "port": "9000",
    "threads": "2",
    "data_directory": "/d",
}


def test_variant_arguments_come_before_options() -> None:
    subject = Subject("faulty", "crashes", options=(("after", "7"),))
    command = compose(read_backend(FAULTY), subject, VALUES)
    assert command.argv == [
        *("/a/x", "--address=127.0.0.1", "--port=9000"),
        *("--fault=crashes", "--after=7"),
    ]


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        (Subject("faulty", "absent"), "expected a variant of sound, .* got absent"),
        (Subject("faulty", "sound", (("no", "1"),)), "expected an option of after, .* got no"),
    ],
)
def test_unknown_words_are_named(subject: Subject, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        compose(read_backend(FAULTY), subject, VALUES)


def _manifest() -> BackendManifest:
    """A backend whose second variant sets options by itself, in both ways."""
    return BackendManifest(
        schema=1,
        name="b",
        title="b",
        language="C",
        license="x",
        collector="none",
        build=Build("b"),
        run=Run(["{artifact}", "--sync=1", "--sync=2"]),
        variants=[
            Variant("plain", "p", ["idiomatic"], ["h1"], default=True),
            Variant(
                "tuned",
                "t",
                ["idiomatic"],
                ["h1"],
                arguments=["--durability=batch"],
                environment={"GOGC": "off"},
            ),
        ],
        options={
            "durability": Option("d", "ram", ["ram", "batch"], argument="--durability={value}"),
            "gogc": Option("g", "100", pattern=".*", environment="GOGC"),
            "sync": Option("s", "9", pattern=".*", argument="--sync={value}"),
            "pages": Option("p", None, pattern=".*", environment="PAGES"),
        },
    )


@pytest.mark.parametrize(
    ("variant", "asked", "durability", "gogc"),
    [
        ("plain", (), "ram", "100"),
        ("tuned", (), "batch", "off"),
        ("plain", (("durability", "batch"), ("gogc", "7")), "batch", "7"),
        ("tuned", (("durability", "ram"), ("gogc", "7")), "ram", "7"),
    ],
)
def test_asked_goes_before_the_variant_and_that_before_the_default(
    variant: str, asked: tuple[tuple[str, str], ...], durability: str, gogc: str
) -> None:
    assert effective_options(_manifest(), Subject("b", variant, asked)) == {
        "auth": "parse",  # no such option in the manifest: what the contract's core does
        "durability": durability,
        "gogc": gogc,
        "pages": None,
        "sync": "2",
    }


def test_every_backend_of_the_house_names_durability_and_auth() -> None:
    for folder in find_backends([FAULTY.parents[2] / "backends"]).values():
        manifest = read_backend(folder)
        for variant in manifest.variants:
            options = effective_options(manifest, Subject(manifest.name, variant.name))
            assert options["durability"], manifest.name
            assert options["auth"], manifest.name
            assert options.keys() >= manifest.options.keys()


def test_what_builds_leave_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int a;")
    before = sources_digest(tmp_path)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "a.o").write_text("x")
    assert sources_digest(tmp_path) == before
    assert [path.name for path in sources(tmp_path)] == ["a.c"]
    (tmp_path / "a.c").write_text("int b;")
    assert sources_digest(tmp_path) != before


def test_a_receipt_is_one_line_and_status_0() -> None:
    manifest = read_backend(FAULTY)
    assert version_line(manifest, status=0, stdout="x 1\n", stderr="") == "x 1"
    with pytest.raises(BuildFailed, match=r"got ended with exit status 1: no such file"):
        version_line(manifest, status=1, stdout="", stderr="no such file\n")
    with pytest.raises(BuildFailed, match="got 2 lines"):
        version_line(manifest, status=0, stdout="a\nb\n", stderr="")


def test_toolchain_lines() -> None:
    assert parse_toolchain("gcc: gcc (Debian 14.2.0-19) 14.2.0\nnoise\n") == {
        "gcc": "gcc (Debian 14.2.0-19) 14.2.0"
    }
