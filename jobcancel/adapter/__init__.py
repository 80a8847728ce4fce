"""Adapters: each builds one vendor's requests and interprets its replies. No I/O."""

from jobcancel.adapter.declaration import ANY, RETRY_STATUSES, Declaration, Override
from jobcancel.adapter.http import HttpAdapter
from jobcancel.adapter.protocol import (
    BASIC,
    BEARER,
    Adapter,
    Credential,
    Endpoint,
    Reading,
    Request,
    Response,
)
from jobcancel.adapter.routes import Param, Route

__all__ = [
    "ANY",
    "BASIC",
    "BEARER",
    "RETRY_STATUSES",
    "Adapter",
    "Credential",
    "Declaration",
    "Endpoint",
    "HttpAdapter",
    "Override",
    "Param",
    "Reading",
    "Request",
    "Response",
    "Route",
]
