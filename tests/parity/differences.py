"""The allowed differences between a vendor's SDK and jobcancel, with reasons.

Paths are compared by their decoded segments: SDKs leave a colon in an id as it is, which
RFC 3986 (section 3.3) allows in a segment, and jobcancel encodes it. Servers see the same.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from attrs import frozen

# An id that must be encoded, and that most vendors' SDKs accept.
AWKWARD = "a b/ü:1"

# Headers that are not compared, by pattern.
IGNORED = {
    "accept": "jobcancel asks for JSON; some SDKs accept anything",
    "accept-encoding": "the compression that the client supports",
    "connection": "how long the client keeps its connection",
    "host": "part of the URL, which is compared anyway",
    "user-agent": "names the client",
    "x-stainless-*": "telemetry of the SDKs made by Stainless: OpenAI's, Runway's and others",
    "x-fern-*": "telemetry of the SDKs of Cohere and Extend",
    "x-reducto-*": "telemetry of the SDK of Reducto",
    "x-goog-api-client": "telemetry of the SDK of Google",
}

# Headers about the body that are not compared if there is no body.
OF_THE_BODY = {
    "content-length": "0 and no length are the same; SDKs on requests send 0 for a DELETE, too",
    "content-type": "there is no body",
}


def is_ignored(header: str, *, has_body: bool) -> bool:
    """Whether a header, its name in lower case, is not compared."""
    if header in OF_THE_BODY and not has_body:
        return True
    return any(fnmatchcase(header, pattern) for pattern in IGNORED)


@frozen
class Allowed:
    """One allowed difference; None stands for a missing part.

    Args:
        provider: the provider's name.
        calls: `cancel`, `status` or both.
        part: what differs, such as `path` or `header authorization`.
        sdk: what the SDK sends.
        ours: what jobcancel sends.
        why: the reason.
    """

    provider: str
    calls: tuple[str, ...]
    part: str
    sdk: object
    ours: object
    why: str


_CANCEL, _STATUS = ("cancel",), ("status",)
_BOTH = _CANCEL + _STATUS

_DOCUMENTED = "the documentation sends the key in x-api-key; the SDK sends it as a bearer token"
_VERSION = "the documented version, whose replies the adapter reads; the SDK's is newer"
_GOOGLE = "v1beta is the documented version, and a param; the SDK uses v1"
_SLASH = "the SDK does not encode a slash in an id, which changes the path"
_TILDE = "the SDK replaces a slash in any id by a tilde, which the API expects in Actor names only"
_LOGS = "the SDK asks for no logs explicitly; jobcancel sends no such parameter"


def _unencoded(provider: str, calls: tuple[str, ...], path: str) -> Allowed:
    """Return the difference in a path, {} being the job id whose slash the SDK does not encode."""
    theirs = tuple(path.format(AWKWARD).split("/"))
    ours = tuple(segment.format(AWKWARD) for segment in path.split("/"))
    return Allowed(provider, calls, "path", theirs, ours, _SLASH)


ALLOWED = (
    Allowed(
        "anthropic-batch", _BOTH, "header authorization", "Bearer parity-key", None, _DOCUMENTED
    ),
    Allowed("anthropic-batch", _BOTH, "header x-api-key", None, "parity-key", _DOCUMENTED),
    Allowed(
        "anthropic-batch", _BOTH, "header anthropic-version", "2026-10-21", "2023-06-01", _VERSION
    ),
    Allowed(
        "apify",
        _CANCEL,
        "path",
        ("v2", "actor-runs", "a b~ü:1", "abort"),
        ("v2", "actor-runs", "a b/ü:1", "abort"),
        _TILDE,
    ),
    Allowed(
        "apify",
        _STATUS,
        "path",
        ("v2", "actor-runs", "a b~ü:1"),
        ("v2", "actor-runs", "a b/ü:1"),
        _TILDE,
    ),
    _unencoded("cohere-batch", _CANCEL, "v2/batches/{}:cancel"),
    _unencoded("cohere-batch", _STATUS, "v2/batches/{}"),
    _unencoded("databricks-statement", _CANCEL, "api/2.0/sql/statements/{}/cancel"),
    _unencoded("databricks-statement", _STATUS, "api/2.0/sql/statements/{}"),
    *(
        row
        for kind in ("classify", "extract", "parse", "split", "workflow")
        for row in (
            _unencoded(f"extend-{kind}", _CANCEL, f"{kind}_runs/{{}}/cancel"),
            _unencoded(f"extend-{kind}", _STATUS, f"{kind}_runs/{{}}"),
        )
    ),
    _unencoded("fal", _CANCEL, "fal-ai/flux/requests/{}/cancel"),
    _unencoded("fal", _STATUS, "fal-ai/flux/requests/{}/status"),
    Allowed("fal", _STATUS, "query", [("logs", "false")], [], _LOGS),
    _unencoded("firecrawl-batch", _BOTH, "v2/batch/scrape/{}"),
    _unencoded("firecrawl-crawl", _BOTH, "v2/crawl/{}"),
    Allowed(
        "gemini-batch",
        _CANCEL,
        "path",
        ("v1", "batches", "a bü:1:cancel"),
        ("v1beta", "batches", "a bü:1:cancel"),
        _GOOGLE,
    ),
    Allowed(
        "gemini-batch",
        _STATUS,
        "path",
        ("v1", "batches", "a bü:1"),
        ("v1beta", "batches", "a bü:1"),
        _GOOGLE,
    ),
    _unencoded("higgsfield", _CANCEL, "requests/{}/cancel"),
    _unencoded("higgsfield", _STATUS, "requests/{}/status"),
    _unencoded("mistral-batch", _CANCEL, "v1/batch/jobs/{}/cancel"),
    _unencoded("mistral-batch", _STATUS, "v1/batch/jobs/{}"),
    _unencoded("replicate", _CANCEL, "v1/predictions/{}/cancel"),
    _unencoded("replicate", _STATUS, "v1/predictions/{}"),
    _unencoded("runpod", _CANCEL, "v2/endpoint-1/cancel/{}"),
    _unencoded("runpod", _STATUS, "v2/endpoint-1/status/{}"),
    _unencoded("runway", _STATUS, "v1/tasks/{}"),
    _unencoded("unstructured", _CANCEL, "api/v1/jobs/{}/cancel"),
    _unencoded("unstructured", _STATUS, "api/v1/jobs/{}"),
)


def allowed(provider: str, call: str) -> dict[str, tuple[object, object]]:
    """Return the allowed differences of a call, by part, as pairs of the SDK's value and ours."""
    return {
        row.part: (row.sdk, row.ours)
        for row in ALLOWED
        if row.provider == provider and call in row.calls
    }
