"""API keys are hidden from logs, tracebacks and serializers."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
from typing import Any

import attrs
import pytest

from jobcancel.adapter import Endpoint
from jobcancel.secret import Secret

KEY = "sk-1234567890"


def test_a_secret_is_shown_only_by_reveal() -> None:
    secret = Secret(KEY)
    assert KEY == secret.reveal()
    assert KEY not in f"{secret} {secret!r} {[secret]}"


def test_a_key_in_a_text_is_redacted() -> None:
    assert "Incorrect API key: [redacted]." == Secret(KEY).redact(f"Incorrect API key: {KEY}.")
    assert b"key=[redacted]" == Secret(KEY).redact_bytes(f"key={KEY}".encode())


def test_a_very_short_key_is_not_redacted() -> None:
    assert "what the vendor said" == Secret("a").redact("what the vendor said")
    assert b"what the vendor said" == Secret("a").redact_bytes(b"what the vendor said")


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="an API key is not pickled"):
        pickle.dumps(Secret(KEY))


def test_other_spellings_of_a_key_are_redacted() -> None:
    key = Secret("user:password").spelled("dXNlcjpwYXNzd29yZA==")
    assert "[redacted] [redacted]" == key.redact("user:password dXNlcjpwYXNzd29yZA==")
    assert b"[redacted] [redacted]" == key.redact_bytes(b"dXNlcjpwYXNzd29yZA== user:password")
    assert ("user:password", "Secret('***')") == (key.reveal(), repr(key))


@pytest.mark.parametrize(
    "quoted", ["an-id:a-secret-word", "an-id%3Aa-secret-word", "a-secret-word"]
)
def test_the_secret_half_of_a_key_pair_is_redacted(quoted: str) -> None:
    key = Secret("an-id:a-secret-word")
    assert "wrong: [redacted]." == key.redact(f"wrong: {quoted}.")
    assert b"wrong: [redacted]." == key.redact_bytes(f"wrong: {quoted}.".encode())


def test_a_key_may_have_any_characters() -> None:
    key = "\ud800:ü" * 8
    assert "[redacted]" == Secret(key).redact(key)


@pytest.mark.parametrize(
    "shown",
    [
        lambda secret: attrs.asdict(Endpoint(base_url="https://x.example", key=secret)),
        lambda secret: attrs.astuple(Endpoint(base_url="https://x.example", key=secret)),
        lambda secret: json.dumps([secret], default=str),
        lambda secret: json.dumps([secret], default=repr),
        lambda secret: f"{secret}{secret!s}{secret!a}",
        inspect.getmembers,
        lambda secret: [getattr(secret, name) for name in dir(secret)],
        lambda secret: secret.__getstate__(),
        lambda secret: copy.deepcopy({"key": secret}),
        copy.copy,
    ],
)
def test_serializers_and_debuggers_find_no_key_in_a_secret(shown: Any) -> None:
    assert KEY not in repr(shown(Secret(KEY)))


@pytest.mark.parametrize("reveal", [vars, attrs.asdict, json.dumps, lambda secret: secret + ""])
def test_a_secret_is_not_a_mapping_or_string(reveal: Any) -> None:
    with pytest.raises((TypeError, attrs.exceptions.NotAnAttrsClassError)):
        reveal(Secret(KEY))


def test_a_copy_of_a_secret_has_the_same_key() -> None:
    secret = Secret(KEY)
    assert secret == copy.deepcopy(secret) == copy.copy(secret) == Secret(KEY)
    assert 1 == len({secret, Secret(KEY)})
    assert secret != KEY
    assert secret != Secret(KEY, "a problem")


@pytest.mark.parametrize("cut", range(4, len(KEY)))
def test_part_of_a_key_at_the_end_of_a_truncated_text_is_redacted(cut: int) -> None:
    assert "no: [redacted], [redacted] " == Secret(KEY).redact_cut(f"no: {KEY}, {KEY} {KEY[:cut]}")


def test_a_text_truncated_elsewhere_is_unchanged() -> None:
    assert "no: [redacted]." == Secret(KEY).redact_cut(f"no: {KEY}.")
