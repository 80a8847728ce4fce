"""No regular expression backtracks: each takes time proportional to the length of its input.

The tests compare the CPU times for two texts, one four times as long as the other. A linear pattern
takes four times as long for it, any other sixteen times or more. Times too short to measure pass.
"""

from __future__ import annotations

import ast
import importlib
import re
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import jobcancel
from jobcancel import get_adapter, providers
from jobcancel.adapter import Response
from jobcancel.adapter.body import Fields
from jobcancel.models import Job
from jobcancel.retry import requested_wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = Path(jobcancel.__file__).parent
MOST_GROWTH = 9
SHORTEST = 0.005
"""Seconds: what takes no longer cannot be far from linear at these lengths."""


def patterns() -> dict[str, tuple[re.Pattern[Any], set[str]]]:
    """Return all patterns of the package by location, with the methods that are called."""
    found: dict[str, tuple[re.Pattern[Any], set[str]]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        source = path.read_text()
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re"), attr=method),
                    args=[ast.Constant(text), *_],
                ) if method != "compile":
                    found[f"{name}:{node.lineno}"] = re.compile(text), {method}
        if "__main__" not in name:
            for attribute, value in vars(importlib.import_module(name)).items():
                if isinstance(value, re.Pattern):
                    used = set(re.findall(rf"\b{attribute}\.(\w+)", source))
                    found[f"{name}.{attribute}"] = value, used
    return found


PATTERNS = patterns()


def pumps(pattern: str) -> set[str]:
    """Return texts that a pattern may match repeatedly: its own words, and parts of them."""
    words = re.findall(r"[\w :'.,!-]+", pattern)
    starts = {word[:length] for word in words for length in range(1, len(word) + 1)}
    pairs = {f"{one}{other}" for one in words for other in words}
    signs = set("aA0 -_.:/\\%&\"'{}[]()=~\t\né") | {
        "a ",
        " a",
        "a.",
        "0.",
        "-a",
        "\\u",
        "\\\\",
        "{a",
    }
    return set(words) | starts | signs | (pairs if len(words) < 8 else set())


def growth(work: Callable[[str], object], pump: str, before: str, after: str) -> float:
    """Return how much longer four times the text takes; 1 if neither takes long."""

    def seconds(length: int) -> float:
        text = before + (pump * (length // len(pump) + 1))[:length] + after
        best = float("inf")
        for _ in range(3):
            began = time.thread_time()
            work(text)
            best = min(best, time.thread_time() - began)
            if best < SHORTEST:
                break
        return best

    long = seconds(8_000)
    return 1.0 if long < SHORTEST else long / seconds(2_000)


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_of_the_package_backtracks(name: str) -> None:
    pattern, methods = PATTERNS[name]
    is_text = isinstance(pattern.pattern, str)
    source = pattern.pattern if is_text else pattern.pattern.decode("latin-1")
    assert methods

    def find(text: str) -> None:
        given: Any = text if is_text else text.encode("latin-1")
        for method in methods:
            found = getattr(pattern, method)(*["" if is_text else b""] * (method == "sub"), given)
            deque(found if method == "finditer" else (), maxlen=0)

    for pump in sorted(pumps(source)):
        for before, after in (("", ""), ("", "\0"), (source[:8], "!")):
            assert MOST_GROWTH > growth(find, pump, before, after), (name, pump)


WORDS = [
    "Run ", "Run: ", "Run: 1 in job: ", "Run 1", "doesn't exist", "in job: ", "token is ", "x", "0",
    "invalid ", "invalid api ", "Cannot cancel a batch with status", "status ", " 1", "1.", "1s",
    "~", ", ", "\\", "Wed, ", "2026-", "1m", "-", "[", "<a>", "&amp;",
]  # fmt: skip


def bodies(text: str) -> Iterator[dict[str, Any]]:
    """Yield bodies with a text in every field that a vendor might use."""
    yield dict.fromkeys(("message", "error", "detail", "status", "code", "error_code", "id"), text)
    code = {"code": "INVALID_PARAMETER_VALUE", "error_code": "INVALID_PARAMETER_VALUE"}
    yield {"message": text, **code, "details": [{"retryDelay": text, "reason": text}]}
    yield {"error": {"message": text, "code": text, "details": [{"retryDelay": text}]}}
    yield {"retry_after": text, "request_id": text, "batch": {"status": text, "id": "1"}}


@pytest.mark.parametrize(
    "provider", [name for name in providers() if name in jobcancel.registry.BUILT_IN]
)
def test_no_reader_of_replies_backtracks(provider: str) -> None:
    adapter, job = get_adapter(provider), Job(provider, "1")

    def read(text: str) -> None:
        for body in bodies(text * 10):
            for status_code in (200, 400, 403, 404, 409, 429):
                response = Response(status_code=status_code, body=body)
                adapter.read_cancel(job, response)
                adapter.read_status(job, response)

    for pump in WORDS:
        assert MOST_GROWTH > growth(read, pump, "", "!"), (provider, pump)


@pytest.mark.parametrize(
    "header", ["retry-after", "retry-after-ms", "ratelimit-reset", "x-ratelimit-reset-requests",
               "anthropic-ratelimit-requests-reset"],
)  # fmt: skip
@pytest.mark.parametrize("pump", [*WORDS, "1,", "1h", "1ms", "+", " ", ":", "1:"])
def test_no_reader_of_headers_backtracks(header: str, pump: str) -> None:
    assert MOST_GROWTH > growth(
        lambda text: requested_wait(429, {header: text}, 0.0), pump, "", "!"
    )


@pytest.mark.parametrize("pump", [*WORDS, "1" * 12 + ".", " 1" * 12])
def test_no_reader_of_fields_backtracks(pump: str) -> None:
    def read(text: str) -> None:
        Fields(state=text, message=text, code=text, request_id=text, job_id=text, retry_after=text)

    assert MOST_GROWTH > growth(read, pump, "", "!")


def test_a_backtracking_pattern_is_detected() -> None:
    slow = re.compile("Run .* does not exist")
    assert growth(slow.search, "Run ", "", "") > MOST_GROWTH
    assert any("databricks" in name for name in PATTERNS)
