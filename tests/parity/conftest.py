"""Fixtures for all SDKs."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_proxies_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the developer's proxies from the environment of the SDKs."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
