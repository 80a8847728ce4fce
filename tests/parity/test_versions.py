"""The SDKs that are compared with are new enough."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

_PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
_GROUP = tomllib.loads(_PYPROJECT.read_text("utf-8"))["dependency-groups"]["parity"]


@pytest.mark.parametrize("wanted", [Requirement(each) for each in _GROUP], ids=str)
def test_an_sdk_is_of_the_version_that_the_group_asks_for(wanted: Requirement) -> None:
    assert wanted.specifier.contains(version(wanted.name))
