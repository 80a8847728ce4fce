"""Records the cassettes from the sandbox and lists them: `python -m tests.record_cassettes`.

URLs are rewritten to the vendor's own, keys and values that differ between recordings are
removed, and each cassette states that it was recorded from the sandbox.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from jobcancel.sandbox import Sandbox
from jobcancel.testing.cassette import recorder
from tests.cassette_cases import CASES, CASSETTES, Case, still_canceller

if TYPE_CHECKING:
    from pathlib import Path

README = CASSETTES / "README.md"
HEADING = "## What there is\n\n"
RECORDED_FROM = "the jobcancel sandbox, not the vendor"


def record(sandbox: Sandbox, case: Case, path: Path) -> None:
    """Record one case into `path`, from a reset sandbox."""
    sandbox.reset()
    if case.job is not None:
        sandbox.submit(case.vendor, job_id=case.job_id, **case.job)
    for each in case.faults:
        sandbox.fault(case.vendor, case.job_id, each.fault, on=each.on, times=each.times)
    key = case.key or sandbox.api_keys[case.provider]
    with (
        still_canceller(api_keys={case.provider: key}, base_urls=sandbox.base_urls) as canceller,
        warnings.catch_warnings(action="ignore", category=DeprecationWarning),
    ):
        recorded = recorder.record(
            canceller,
            case.provider,
            case.job_id,
            options=case.options,
            recorded_from=RECORDED_FROM,
        )
    if (recorded.result.outcome, recorded.problem) != (case.outcome, None):
        raise AssertionError(f"{case}: recorded {recorded}")
    path.parent.mkdir(exist_ok=True)
    path.write_text(recorded.text)


def table() -> str:
    """Return the table of the cassettes for their README."""
    rows = [
        f"| `{case.provider}` | `{case.outcome}` | `{case.job_id}` | {_options(case)} |"
        for case in CASES
    ]
    head = ["| provider | outcome | job id | options |", "|---|---|---|---|"]
    return "\n".join((*head, *rows)) + "\n"


def _options(case: Case) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in case.options.items())


def still_sandbox() -> Sandbox:
    """Return a sandbox whose clock stands still."""
    return Sandbox(now=lambda: 1_790_000_000.0)


def main() -> None:
    """Rerecord every cassette."""
    for old in CASSETTES.rglob("*.yaml"):
        old.unlink()
    with still_sandbox() as sandbox:
        for case in CASES:
            record(sandbox, case, case.path)
    about, heading, _ = README.read_text().partition(HEADING)
    README.write_text(about + heading + table())


if __name__ == "__main__":
    main()
