"""Keys stay out of sight."""

from __future__ import annotations

import pickle

import pytest

from jobcancel.secret import Secret

KEY = "sk-1234567890"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(KEY)
    assert KEY == secret.reveal()
    assert KEY not in f"{secret} {secret!r} {[secret]}"


def test_a_vendors_quotation_of_the_key_is_redacted() -> None:
    assert "Incorrect API key: [redacted]." == Secret(KEY).redact(f"Incorrect API key: {KEY}.")
    assert b"key=[redacted]" == Secret(KEY).redact_bytes(f"key={KEY}".encode())
    body = {"errors": [{KEY: 1, "message": KEY}], "count": 2, "flag": None}
    redacted = {"errors": [{"[redacted]": 1, "message": "[redacted]"}], "count": 2, "flag": None}
    assert redacted == Secret(KEY).redact_all(body)


def test_a_key_that_is_too_short_to_be_one_garbles_no_text() -> None:
    assert "what the vendor said" == Secret("a").redact("what the vendor said")
    assert b"what the vendor said" == Secret("a").redact_bytes(b"what the vendor said")


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="an API key is not pickled"):
        pickle.dumps(Secret(KEY))


def test_another_spelling_of_a_key_is_redacted_too() -> None:
    key = Secret("user:password").spelled("dXNlcjpwYXNzd29yZA==")
    assert "[redacted] [redacted]" == key.redact("user:password dXNlcjpwYXNzd29yZA==")
    assert b"[redacted] [redacted]" == key.redact_bytes(b"dXNlcjpwYXNzd29yZA== user:password")
    assert ("user:password", "Secret('***')") == (key.reveal(), repr(key))


@pytest.mark.parametrize("told", ["an-id:a-secret-word", "an-id%3Aa-secret-word", "a-secret-word"])
def test_the_secret_half_of_a_pair_is_redacted_too(told: str) -> None:
    key = Secret("an-id:a-secret-word")
    assert "wrong: [redacted]." == key.redact(f"wrong: {told}.")
    assert b"wrong: [redacted]." == key.redact_bytes(f"wrong: {told}.".encode())


def test_a_key_of_any_characters_is_a_secret() -> None:
    key = "\ud800:ü" * 8
    assert "[redacted]" == Secret(key).redact(key)
