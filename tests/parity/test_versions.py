"""The compared SDKs are new enough."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
_GROUP = tomllib.loads(_PYPROJECT.read_text("utf-8"))["dependency-groups"]["parity"]


@pytest.mark.parametrize("wanted", [Requirement(each) for each in _GROUP], ids=str)
def test_an_sdk_has_the_version_required_by_the_dependency_group(wanted: Requirement) -> None:
    assert wanted.specifier.contains(version(wanted.name))
