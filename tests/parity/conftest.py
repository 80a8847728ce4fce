"""Fixtures for all SDKs."""

from __future__ import annotations

import os

import pytest

from jobcancel import HttpAdapter, get_adapter
from jobcancel.registry import BUILT_IN


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep keys, addresses and proxies of whoever runs the tests out of the SDKs, too."""
    vendors = set()
    for adapter in map(get_adapter, BUILT_IN):
        assert isinstance(adapter, HttpAdapter)
        variables = (adapter.key_env, adapter.url_env, *adapter.other_key_envs)
        vendors |= {variable.split("_")[0] for variable in variables}
    for name in list(os.environ):
        if name.split("_")[0] in vendors or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
