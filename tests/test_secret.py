"""Keys stay out of sight."""

from __future__ import annotations

from jobcancel.secret import Secret

KEY = "sk-1234567890"


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(KEY)
    assert KEY == secret.reveal()
    assert KEY not in f"{secret} {secret!r} {[secret]}"


def test_a_vendors_quotation_of_the_key_is_redacted() -> None:
    quoted = b'{"message": "Incorrect API key: sk-1234567890."}'
    assert b'{"message": "Incorrect API key: [redacted]."}' == Secret(KEY).redact(quoted)


def test_a_key_that_is_too_short_to_be_one_garbles_no_text() -> None:
    assert b"what the vendor said" == Secret("a").redact(b"what the vendor said")
