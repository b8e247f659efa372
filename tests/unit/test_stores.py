"""Stores that others wrote: what their files may say, what they lack, and that no key is told."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness import asked, direct
from harness.cli.loading import load
from harness.drivers import load as load_driver
from harness.drivers import locust, manifests, stores
from harness.drivers.command import compose
from harness.errors import EnvironmentLacking, LoadFailed, UsageError
from harness.model.direct import Asked
from harness.model.plan import Subject
from harness.model.signing import Signing
from harness.model.store import needs
from harness.stages.plan import make_plan
from tests.test_tidy import ROOT

TARGETS = ROOT / "loadgen" / "targets"
SCENARIOS = ROOT / "loadgen" / "scenarios"
KEYS = {"AWS_ACCESS_KEY_ID": "an-access-key", "AWS_SECRET_ACCESS_KEY": "a-secret-key"}


@pytest.mark.parametrize("path", sorted(TARGETS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_target_is_well_formed(path: Path) -> None:
    store = stores.read_store(path)
    assert "{port}" in "".join([*store.start.command, *store.start.files.values()])
    assert set(store.features) >= {"get", "preload"}


def test_a_store_that_lacks_a_feature_is_refused_by_name() -> None:
    nginx = stores.read_store(TARGETS / "nginx.toml")
    stores.require_features(nginx, manifests.read_scenario(SCENARIOS / "read-only.toml"))
    mixed = manifests.read_scenario(SCENARIOS / "s3-mixed.toml")
    with pytest.raises(UsageError) as told:
        stores.require_features(nginx, mixed)
    assert told.value.where == "--target nginx"
    assert "list-v2 (files have no listing)" in told.value.what
    assert "s3-mixed" in told.value.what


def test_needs_are_the_operations_and_what_the_scenario_names() -> None:
    mixed = manifests.read_scenario(SCENARIOS / "s3-mixed.toml")
    assert needs(mixed) == ["get", "put", "head", "range", "list-v2", "delete", "preload"]
    more = msgspec.structs.replace(mixed, operations=mixed.operations[:1], needs=["bucket-create"])
    assert needs(more) == ["get", "bucket-create", "preload"]


def test_a_scenario_may_not_need_what_nobody_has(tmp_path: Path) -> None:
    text = (SCENARIOS / "read-only.toml").read_text()
    path = tmp_path / "s.toml"
    path.write_text(text.replace("schema = 1\n", 'schema = 1\nneeds = ["tape"]\n', 1))
    with pytest.raises(UsageError, match="tape"):
        manifests.read_scenario(path)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('"get", "head"', '"get", "fly"', "features"),
        ('"get", "head"', '"get", "put"', "features"),  # had and lacked
        ('name = "nginx"', 'name = "apache"', "name"),
        ('program = "nginx"', 'go_module = "x"', "get"),
        ("[start]", "[start]\ncolour = 1", "colour"),
        ('"nginx.conf" =', '"../nginx.conf" =', "start.files"),
        ('"nginx.conf" =', '"" =', "start.files"),
        ('program = "nginx"', 'program = "../nginx"', "get.program"),
        ('"nginx"\npackage', '"a"\ngo_module = "-x"\ngo_version = "v1"\npackage', "get.go_module"),
        ('"nginx"\npackage', '"a"\ngo_module = "m"\ngo_version = "/x"\npackage', "get.go_version"),
        ('"{program}", "-p"', '"sh", "-p"', "start.command"),
        ("schema = 1", "schema = 0x" + "f" * 5000, "63 bits"),
        ("schema = 1", "schema = " + "9" * 5000, "is not TOML"),
        ("schema = 1", "schema = 1\nx = " + "[" * 5000 + "]" * 5000, "16 deep"),
        ("schema = 1", "schema = 1\nx." + ".".join("y" * 40) + " = 1", "16 deep"),
        ('static files"', 'static\\u001b[2J"', "control character"),
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, old: str, new: str, named: str) -> None:
    path = tmp_path / "nginx.toml"
    text = (TARGETS / "nginx.toml").read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as told:
        stores.read_store(path)
    assert named in f"{told.value}"


def test_a_bucket_that_is_there_names_the_flag_and_what_it_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenario = manifests.read_scenario(SCENARIOS / "s3-mixed.toml")
    wanted = Asked(rate_rps=1, duration_s=1, warmup_s=0, connections=1, grain_ns=20_000,
                   tune="off", scenario=scenario)  # fmt: skip
    plan = make_plan(direct._request(wanted), cpus=[0, 1], created_utc="", version="")

    def taken(*_: object) -> None:
        what = "the bucket bench is there already, expected 404, got status 200"
        raise LoadFailed("engine: target 127.0.0.1:1", what, hint="the engine's own")

    monkeypatch.setattr(direct, "ask_engine", taken)
    target = load_driver.Target("127.0.0.1", 1)
    with (
        pytest.raises(LoadFailed) as told,
        direct._objects(plan, target, wanted, Path("/nowhere"), print),
    ):
        pass
    assert "--into-existing" in told.value.hint
    assert "deletes objects" in told.value.hint


def test_a_program_that_is_missing_is_told_with_its_package() -> None:
    nginx = stores.read_store(TARGETS / "nginx.toml")
    get = msgspec.structs.replace(nginx.get, program="no-such-program-anywhere")
    with pytest.raises(EnvironmentLacking) as told:
        stores.obtain(msgspec.structs.replace(nginx, get=get), print)
    assert "nginx-light" in told.value.hint


def test_keys_come_from_the_environment_and_are_never_told() -> None:
    signing = asked.signing("hex", {**KEYS, "AWS_REGION": "eu-west-3"})
    assert signing == Signing("an-access-key", "a-secret-key", "eu-west-3", "hex")
    assert asked.signing(None, {}) is None
    target = load_driver.Target("127.0.0.1", 1, signing=signing)
    for text in (repr(signing), str(target)):
        assert "an-access-key" not in text
        assert "a-secret-key" not in text
    for environment in (
        {"AWS_ACCESS_KEY_ID": "an-access-key"},
        {"AWS_SECRET_ACCESS_KEY": "a-secret-key"},
        {**KEYS, "AWS_SESSION_TOKEN": "a-token"},
    ):
        with pytest.raises(UsageError) as told:
            asked.signing(None, environment)
        said = f"{told.value} {told.value.hint}"
        assert not any(value in said for value in environment.values())
    with pytest.raises(UsageError, match="nobody to sign"):
        asked.signing("hex", {})


@pytest.mark.parametrize("lasting", [True, False], ids=["lasting", "drawn"])
def test_only_keys_drawn_for_the_trial_are_given_to_the_master(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, lasting: bool
) -> None:
    told: list[dict[str, str]] = []
    monkeypatch.setattr(locust, "spawn", lambda _, **kwargs: told.append(kwargs["env"]))
    signing = Signing("an-access-key", "a-secret-key", lasting=lasting)
    paths = {name: tmp_path / name for name in ("locustfile", "log")}
    locust.start_master(
        locust.Crew(), port=1, plan=tmp_path, out=tmp_path, signing=signing, **paths
    )
    locust.start_here(locust.Crew(), port=1, engine=tmp_path, signing=signing, **paths)
    master, worker = told
    assert ("a-secret-key" in master["PAUSEMARK_DRAWN_KEYS"]) is not lasting
    assert ("AWS_SECRET_ACCESS_KEY" in worker) is lasting


def test_a_backend_that_verifies_is_told_its_credential() -> None:
    manifest = manifests.read_backend(ROOT / "backends" / "c")
    values = dict.fromkeys(("artifact", "address", "port", "threads", "data_directory"), "x")
    verifying = Subject("c", "epoll", (("auth", "verify"),))
    argv = compose(manifest, verifying, {**values, "credential": "I:S"}).argv
    assert argv[-2:] == ["--auth=verify", "--credential=I:S"]
    assert "--credential" not in " ".join(compose(manifest, Subject("c", "epoll"), values).argv)


@pytest.mark.parametrize(
    "flags",
    [
        ["--target", "http://127.0.0.1:1/", "--keep-objects"],
        ["--target", "http://127.0.0.1:1/", "--payload", "hex"],
        ["--target", "http://127.0.0.1:1/x", "--scenario", "s3-mixed"],
        ["--target", "minio"],
        ["--target", "s4", "--scenario", "s3-mixed"],
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags: list[str]) -> None:
    with pytest.raises(UsageError):
        load.main([*flags, "--rps", "1"], standalone_mode=False)
