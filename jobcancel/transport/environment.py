"""What the environment says of HTTP: proxies, and the certificates to trust."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx

from jobcancel.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

DEFAULT_PORTS = {"http": 80, "https": 443}
# Seconds.
_PATIENCE = 1.0

_tls_contexts: list[ssl.SSLContext] = []
_tls_lock = threading.RLock()


def proxies() -> dict[str, httpx.Proxy]:
    """Return the environment's proxies by scheme; `all` applies to any scheme."""
    found = {
        scheme: httpx.Proxy(url if "://" in url else f"http://{url}")
        for scheme, url in getproxies().items()
        if scheme in {"http", "https", "all"}
    }
    if any(proxy.url.scheme.startswith("socks") for proxy in found.values()):
        import_module("socksio")  # fail now if it is missing; httpcore imports it on connecting
    return found


def is_excepted(url: httpx.URL) -> bool:
    """Whether `NO_PROXY` contains the host, its domain, or `*`."""
    host, names = url.host, getproxies().get("no", "").lower().split(",")
    forms = (host, f"[{host}]", f"{host}:{url.port or DEFAULT_PORTS[url.scheme]}", "*")
    bare = [name.strip().rpartition("://")[2].lstrip(".") for name in names]
    return any(name in forms or host.endswith(f".{name}") for name in filter(None, bare))


@contextmanager
def setting_up() -> Iterator[None]:
    """Raise an error that names the environment variables if no HTTP client can be created."""
    try:
        yield
    except (ImportError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot set up an HTTP client: {error}; check SSL_CERT_FILE, SSL_CERT_DIR and the "
            "proxies in the environment"
        ) from error


def tls_context() -> ssl.SSLContext:
    """Return the TLS context that all clients share: reading certificates takes 20 ms or more.

    Threads that need it at once wait for the first of them, because reading does not get faster
    in several threads. They do not wait for long: the first one may be the main thread, and be
    interrupted by a signal handler that waits for them.
    """
    if not _tls_contexts:
        has_lock = _tls_lock.acquire(timeout=_PATIENCE)
        try:
            if not _tls_contexts:
                _tls_contexts.append(httpx.create_ssl_context())
        finally:
            if has_lock:
                _tls_lock.release()
    return _tls_contexts[0]
