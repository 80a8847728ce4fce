"""The registry: from provider names to adapters."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

import pytest
from attrs import evolve

from jobcancel import (
    BrokenAdapter,
    ConfigurationError,
    UnknownProvider,
    get_adapter,
    providers,
    register,
    registry,
)
from jobcancel.vendors.pulse import PULSE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACME = evolve(PULSE, name="acme")


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(registry, "_registered", {})
    yield
    registry._entry_points.cache_clear()
    registry._load.cache_clear()


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder of plug-in modules, and the entry points for them."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "acme_plugin.py").write_text(
        "from attrs import evolve\n"
        "from jobcancel.vendors.pulse import PULSE\n"
        "ACME = evolve(PULSE, name='acme')\n"
        "PULSE2 = evolve(PULSE, title='an impostor')\n"
        "TEXT = 'no adapter'\n"
    )
    (tmp_path / "broken_plugin.py").write_text("raise RuntimeError('no license')\n")
    return tmp_path


def install(tmp_path: Path, distribution: str, **points: str) -> None:
    info = tmp_path / f"{distribution}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Name: {distribution}\nVersion: 1.0\n")
    lines = (f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text("[jobcancel.adapters]\n" + "".join(lines))
    registry._entry_points.cache_clear()


def test_an_unknown_provider_error_suggests_the_nearest_and_lists_all() -> None:
    with pytest.raises(UnknownProvider) as caught:
        get_adapter("pluse")
    known = ", ".join(providers())
    assert f"no provider 'pluse'; did you mean 'pulse'? Known: {known}" == str(caught.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("anthropic", "anthropic-batch"),
        ("gemini", "gemini-batch"),
        ("openai_batch", "openai-batch"),
        ("openai-batches", "openai-batch"),
        ("azure-openai", "azure-openai-batch"),
        ("together", "together-batch"),
    ],
)
def test_a_vendors_bare_name_suggests_the_nearest_provider(name: str, nearest: str) -> None:
    with pytest.raises(UnknownProvider, match=f"did you mean '{nearest}'"):
        get_adapter(name)


def test_a_name_near_no_provider_gets_only_the_list() -> None:
    with pytest.raises(UnknownProvider, match=r"no provider 'qqq'\. Known: \w+"):
        get_adapter("qqq")


def test_a_provider_must_be_a_string() -> None:
    with pytest.raises(TypeError, match="provider must be a string"):
        get_adapter(None)  # type: ignore[arg-type]


def test_ctrl_c_while_an_adapter_is_inspected_is_raised() -> None:
    class Interrupted:
        @property
        def name(self) -> str:
            raise KeyboardInterrupt

    class Shown:
        def __repr__(self) -> str:
            raise KeyboardInterrupt

    for adapter in (Interrupted(), Shown()):
        with pytest.raises(KeyboardInterrupt):
            register(adapter)  # type: ignore[arg-type]


def test_a_registered_adapter_is_found_and_listed() -> None:
    register(ACME)
    assert ACME is get_adapter("acme")
    assert tuple(sorted(["acme", *registry.BUILT_IN])) == providers()


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("databricks", "databricks-run"),
        ("fal-ai", "fal"),
        ("llamaparse", "llamacloud-parse"),
        ("llama-cloud-batch", "llamacloud-batch"),
        ("firecrawl", "firecrawl-crawl"),
        ("extend-extraction", "extend-extract"),
        ("run-pod", "runpod"),
        ("runwayml", "runway"),
    ],
)
def test_another_spelling_of_a_vendor_suggests_the_nearest_provider(
    name: str, nearest: str
) -> None:
    with pytest.raises(UnknownProvider, match=f"did you mean '{nearest}'"):
        get_adapter(name)


def test_the_built_in_names_are_sorted() -> None:
    assert sorted(registry.BUILT_IN) == list(registry.BUILT_IN)


def test_registering_the_name_of_a_plug_in_needs_replace(plugins: Path) -> None:
    install(plugins, "acme-jobcancel", acme="acme_plugin:ACME")
    with pytest.raises(ConfigurationError, match=r"'acme' is also provided by acme-jobcancel 1\.0"):
        register(ACME)
    register(ACME, replace=True)
    assert ACME is get_adapter("acme")


def test_registering_the_same_adapter_again_changes_nothing() -> None:
    register(ACME)
    register(evolve(ACME))
    assert ACME == get_adapter("acme")


def test_registering_an_existing_name_needs_replace() -> None:
    register(ACME)
    other = evolve(ACME, title="Other")
    with pytest.raises(ConfigurationError, match="'acme' is already registered; pass replace=True"):
        register(other)
    register(other, replace=True)
    assert other is get_adapter("acme")


def test_a_built_in_provider_cannot_be_replaced() -> None:
    with pytest.raises(ConfigurationError, match="'pulse' is a built-in provider"):
        register(PULSE, replace=True)


def test_only_an_adapter_can_be_registered() -> None:
    with pytest.raises(TypeError, match="not an adapter: 'acme'; declare an HttpAdapter"):
        register("acme")  # type: ignore[arg-type]


def test_a_plug_in_is_found_by_name_and_listed_without_import(plugins: Path) -> None:
    install(plugins, "acme-jobs", acme="acme_plugin:ACME")
    sys.modules.pop("acme_plugin", None)
    assert "acme" in providers()
    assert "acme_plugin" not in sys.modules
    assert "acme" == get_adapter("acme").name


def test_a_plug_in_cannot_take_a_built_in_name(plugins: Path) -> None:
    install(plugins, "impostor", pulse="acme_plugin:PULSE2")
    assert PULSE is get_adapter("pulse")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("broken_plugin:ACME", r"cannot be imported: RuntimeError\('no license'\)"),
        ("missing_plugin:ACME", "cannot be imported: ModuleNotFoundError"),
        ("acme_plugin:MISSING", "cannot be imported: AttributeError"),
        ("acme_plugin:TEXT", "is not an adapter: it is 'no adapter'"),
        ("acme_plugin:PULSE2", "has an adapter named 'pulse'; the two names must be equal"),
    ],
)
def test_a_broken_plug_in_raises_on_use_and_names_its_distribution(
    plugins: Path, value: str, problem: str
) -> None:
    install(plugins, "acme-jobs", acme=value)
    with pytest.raises(BrokenAdapter, match=f"plug-in 'acme' of acme-jobs 1.0 {problem}"):
        get_adapter("acme")
    assert PULSE is get_adapter("pulse")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("raise SystemExit(3)", r"cannot be imported: SystemExit\(3\)"),
        ("raise BaseException('no')", r"cannot be imported: BaseException\('no'\)"),
        ("raise GeneratorExit", r"cannot be imported: GeneratorExit\(\)"),
        (
            "class Odd(Exception):\n    def __repr__(self): raise ValueError\nraise Odd",
            "cannot be imported: a Odd",
        ),
        ("raise ValueError('x' * 10_000)", "cannot be imported: ValueError.{0,300}$"),
        ("class A(Base):\n    title = 7\nACME = A()", "is not an adapter: .*its 'title' is 7"),
        ("class A(Base):\n    docs = None\nACME = A()", "its 'docs' is None"),
        ("class A(Base):\n    params = ['x']\nACME = A()", r"its 'params' is \['x'\]"),
        ("class A(Base):\n    read_status = 7\nACME = A()", "it has no method 'read_status'"),
        (
            "class A(Base):\n    title = property(lambda self: 1 / 0)\nACME = A()",
            "its 'title' raises Zero",
        ),
        (
            "class A(Base):\n    title = property(lambda self: exit(1))\nACME = A()",
            "its 'title' raises System",
        ),
        (
            "class A(Base):\n    def __repr__(self): 1 / 0\n    title = 7\nACME = A()",
            "it is a A; its 'title'",
        ),
        ("ACME = object()", "it has no 'name'"),
    ],
)
def test_a_faulty_plug_in_breaks_no_other(plugins: Path, source: str, problem: str) -> None:
    (plugins / "odd_plugin.py").write_text(f"{BASE}\n{source}\n")
    sys.modules.pop("odd_plugin", None)
    install(plugins, "acme-jobs", acme="odd_plugin:ACME")
    with pytest.raises(BrokenAdapter, match=rf"(?s)plug-in 'acme' of acme-jobs 1\.0 .*({problem})"):
        get_adapter("acme")
    assert PULSE is get_adapter("pulse")
    with pytest.raises(UnknownProvider, match="did you mean 'acme'"):
        get_adapter("acmee")


BASE = """
class Base:
    name = title = docs = default_url = key_env = url_env = 'acme'
    deprecated = credentials_of = None
    other_key_envs, params, destroys_finished = (), {}, False
    def refuse(self, job): ...
    must_read_first = cancel_request = status_request = read_cancel = read_status = refuse
"""


def test_ctrl_c_while_a_plug_in_is_imported_is_raised(plugins: Path) -> None:
    (plugins / "odd_plugin.py").write_text("raise KeyboardInterrupt")
    sys.modules.pop("odd_plugin", None)
    install(plugins, "acme-jobs", acme="odd_plugin:ACME")
    with pytest.raises(KeyboardInterrupt):
        get_adapter("acme")


def test_two_plug_ins_with_the_same_name_raise_an_error_naming_both(plugins: Path) -> None:
    install(plugins, "one", acme="acme_plugin:ACME")
    install(plugins, "two", acme="acme_plugin:ACME")
    with pytest.raises(BrokenAdapter, match=r"'acme' is provided by one 1\.0 and two 1\.0"):
        get_adapter("acme")


def test_an_entry_point_without_a_distribution_is_reported_by_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = EntryPoint(name="acme", value="missing_plugin:ACME", group=registry.GROUP)
    monkeypatch.setattr(registry, "_entry_points", lambda: (point,))
    with pytest.raises(BrokenAdapter, match="plug-in 'acme' of missing_plugin:ACME"):
        get_adapter("acme")
    monkeypatch.undo()
