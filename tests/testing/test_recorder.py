"""The reason phrases in a cassette."""

from __future__ import annotations

import pytest
import yaml

from jobcancel import Canceller
from jobcancel.testing.cassette import recorder
from tests.wire import Wire, answer

KEY = "sk-live-0123456789"
GONE = b'{"error": {"code": "JOB_NOT_FOUND", "message": "no such job"}}'


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (f"404 nothing for {KEY}", "Not Found"),
        ("404 ", "Not Found"),
        # Python 3.13 renamed these; cassettes must not depend on the Python version.
        ("413 Content Too Large", "Request Entity Too Large"),
        ("422 Unprocessable Content", "Unprocessable Entity"),
        ("490 something of its own", ""),
    ],
)
def test_reason_phrase_is_the_standard_one(status: str, phrase: str) -> None:
    with Wire([answer(status, GONE)] * 20) as wire:
        client = Canceller(api_keys={"pulse": KEY}, base_urls={"pulse": wire.url}, deadline=0.2)
        with client as canceller:
            recorded = recorder.record(canceller, "pulse", "1", options={})
    held = yaml.safe_load(recorded.text)["interactions"]
    assert {phrase} == {each["response"]["status"]["message"] for each in held}
    assert KEY not in recorded.text
