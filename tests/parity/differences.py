"""In what a vendor's SDK and jobcancel may differ, each with its reason.

Paths are compared by their decoded segments: SDKs leave a colon in an id as it is, which
RFC 3986 (section 3.3) allows in a segment, and jobcancel encodes it. Servers see the same.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from attrs import frozen

# An id that has to be encoded, as most vendors' SDKs let it through.
AWKWARD = "a b/ü:1"

# Headers that are not compared, by pattern.
IGNORED = {
    "accept": "jobcancel asks for JSON; some SDKs take anything",
    "accept-encoding": "what compression the client can undo",
    "connection": "how long the client keeps its connection",
    "host": "is the address, which is compared as such",
    "user-agent": "names the client",
    "x-stainless-*": "telemetry of the SDKs made by Stainless: OpenAI's, Runway's and others",
    "x-fern-*": "telemetry of the SDKs of Cohere and Extend",
    "x-reducto-*": "telemetry of the SDK of Reducto",
    "x-goog-api-client": "telemetry of the SDK of Google",
}

# Headers that are not compared where there is no body for them to be about.
OF_THE_BODY = {
    "content-length": "0 and no length are the same; SDKs over requests say 0 for a DELETE, too",
    "content-type": "of no body",
}


def is_ignored(header: str, *, has_body: bool) -> bool:
    """Whether a header, its name in lower case, is not compared."""
    if header in OF_THE_BODY and not has_body:
        return True
    return any(fnmatchcase(header, pattern) for pattern in IGNORED)


@frozen
class Allowed:
    """One allowed difference; None is for what is not there.

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

_DOCUMENTED = "the documentation has the key in x-api-key; the SDK sends it as a bearer token"
_VERSION = "the version of the documentation, whose replies are the ones read; the SDK's is newer"
_GOOGLE = "v1beta is the documented version, and a param; the SDK has v1"
_SLASH = "the SDK leaves a slash in an id as it is, which leads to another address"
_TILDE = "the SDK makes a slash in any id a tilde, as the API wants it in the name of an Actor"
_LOGS = "the SDK says that it wants no logs; jobcancel does not ask for any"


def _torn(provider: str, calls: tuple[str, ...], path: str) -> Allowed:
    """The difference in a path whose {} is the job's id, where the SDK leaves the slash in it."""
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
    _torn("cohere-batch", _CANCEL, "v2/batches/{}:cancel"),
    _torn("cohere-batch", _STATUS, "v2/batches/{}"),
    _torn("databricks-statement", _CANCEL, "api/2.0/sql/statements/{}/cancel"),
    _torn("databricks-statement", _STATUS, "api/2.0/sql/statements/{}"),
    *(
        row
        for kind in ("classify", "extract", "parse", "split", "workflow")
        for row in (
            _torn(f"extend-{kind}", _CANCEL, f"{kind}_runs/{{}}/cancel"),
            _torn(f"extend-{kind}", _STATUS, f"{kind}_runs/{{}}"),
        )
    ),
    _torn("fal", _CANCEL, "fal-ai/flux/requests/{}/cancel"),
    _torn("fal", _STATUS, "fal-ai/flux/requests/{}/status"),
    Allowed("fal", _STATUS, "query", [("logs", "false")], [], _LOGS),
    _torn("firecrawl-batch", _BOTH, "v2/batch/scrape/{}"),
    _torn("firecrawl-crawl", _BOTH, "v2/crawl/{}"),
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
    _torn("higgsfield", _CANCEL, "requests/{}/cancel"),
    _torn("higgsfield", _STATUS, "requests/{}/status"),
    _torn("mistral-batch", _CANCEL, "v1/batch/jobs/{}/cancel"),
    _torn("mistral-batch", _STATUS, "v1/batch/jobs/{}"),
    _torn("replicate", _CANCEL, "v1/predictions/{}/cancel"),
    _torn("replicate", _STATUS, "v1/predictions/{}"),
    _torn("runpod", _CANCEL, "v2/endpoint-1/cancel/{}"),
    _torn("runpod", _STATUS, "v2/endpoint-1/status/{}"),
    _torn("runway", _STATUS, "v1/tasks/{}"),
    _torn("unstructured", _CANCEL, "api/v1/jobs/{}/cancel"),
    _torn("unstructured", _STATUS, "api/v1/jobs/{}"),
)


def allowed(provider: str, call: str) -> dict[str, tuple[object, object]]:
    """Return what may differ in a call, by part, as what the SDK sends and what jobcancel does."""
    return {
        row.part: (row.sdk, row.ours)
        for row in ALLOWED
        if row.provider == provider and call in row.calls
    }
