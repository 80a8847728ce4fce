"""What the body of a request is: its media type, and its JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


def is_json(request: Request) -> bool:
    """Return whether the request says that its body is JSON; case does not count (RFC 9110, 8.3.1).

    A page elsewhere cannot say so without asking first, which the sandbox answers with no.
    """
    media_type, _, _ = request.headers.get("content-type", "").partition(";")
    return media_type.strip().lower() == "application/json"


def parse_json(body: bytes) -> object:
    """Return what the JSON in `body` says.

    Raises:
        ValueError: it is no JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
