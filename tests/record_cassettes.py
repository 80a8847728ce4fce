"""Records the cassettes from the sandbox: `python -m tests.record_cassettes`.

Addresses are rewritten to the vendor's own, keys and whatever differs from one recording to
the next are taken out, and each cassette says that it was recorded from the sandbox.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import vcr

from jobcancel import get_adapter
from jobcancel.sandbox import Sandbox
from tests.cassette_cases import CASES, CASSETTES, Case, still_canceller

if TYPE_CHECKING:
    from pathlib import Path

    from vcr.request import Request

RECORDED_FROM = "the jobcancel sandbox, not the vendor"
KEY_PLACEHOLDER = "<api-key>"

# Differ between recordings, or say something of the machine that recorded.
_LEFT_OUT = ["user-agent", "host", "idempotency-key", "connection"]


def record(case: Case, path: Path) -> None:
    """Record one case into `path`."""
    with Sandbox(now=lambda: 1_790_000_000.0) as sandbox:
        vendors_own = get_adapter(case.provider).default_url
        key = case.seed.key or sandbox.api_keys[case.provider]

        def at_the_vendor(request: Request) -> Request:
            request.uri = request.uri.replace(sandbox.base_urls[case.provider], vendors_own)
            return request

        if case.fault is not None:
            sandbox.fault(case.vendor, case.seed.job_id, case.fault)
        recorder = vcr.VCR(
            record_mode=vcr.mode.ALL,
            before_record_request=at_the_vendor,
            filter_headers=_LEFT_OUT,
            filter_sensitive_data={KEY_PLACEHOLDER: key},
        )
        with (
            recorder.use_cassette(str(path)) as cassette,
            still_canceller(base_urls=sandbox.base_urls) as canceller,
            warnings.catch_warnings(action="ignore", category=DeprecationWarning),
        ):
            cassette.get_metadata("recorded_from", RECORDED_FROM)
            result = canceller.cancel(case.provider, case.seed.job_id, api_key=key, **case.options)
        if result.outcome is not case.outcome:
            raise AssertionError(f"{case}: recorded {result}")


def main() -> None:
    """Record every cassette anew."""
    for old in CASSETTES.rglob("*.yaml"):
        old.unlink()
    for case in CASES:
        record(case, case.path)


if __name__ == "__main__":
    main()
