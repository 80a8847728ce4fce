"""Records the cassettes from the sandbox: `python -m tests.record_cassettes`.

Addresses are rewritten to the vendor's own, keys and whatever differs from one recording to
the next are taken out, and each cassette says that it was recorded from the sandbox.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from jobcancel.sandbox import Sandbox
from jobcancel.testing import recorder
from tests.cassette_cases import CASES, CASSETTES, Case, still_canceller

if TYPE_CHECKING:
    from pathlib import Path

RECORDED_FROM = "the jobcancel sandbox, not the vendor"


def record(case: Case, path: Path) -> None:
    """Record one case into `path`."""
    with Sandbox(now=lambda: 1_790_000_000.0) as sandbox:
        if case.fault is not None:
            sandbox.fault(case.vendor, case.seed.job_id, case.fault)
        key = case.seed.key or sandbox.api_keys[case.provider]
        with (
            still_canceller(
                api_keys={case.provider: key}, base_urls=sandbox.base_urls
            ) as canceller,
            warnings.catch_warnings(action="ignore", category=DeprecationWarning),
        ):
            recorded = recorder.record(
                canceller,
                case.provider,
                case.seed.job_id,
                options=case.options,
                recorded_from=RECORDED_FROM,
            )
    if (recorded.result.outcome, recorded.problem) != (case.outcome, None):
        raise AssertionError(f"{case}: recorded {recorded}")
    path.parent.mkdir(exist_ok=True)
    path.write_text(recorded.text)


def main() -> None:
    """Record every cassette anew."""
    for old in CASSETTES.rglob("*.yaml"):
        old.unlink()
    for case in CASES:
        record(case, case.path)


if __name__ == "__main__":
    main()
