from __future__ import annotations

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from jobcancel.transport import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = 4


@pytest.fixture
def no_context() -> Iterator[None]:
    environment._tls_contexts.clear()
    yield
    environment._tls_contexts.clear()


@pytest.mark.usefixtures("no_context")
def test_threads_that_need_the_certificates_at_once_read_them_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arrivals = threading.Semaphore(0)
    created = []

    class Lock:
        def __init__(self) -> None:
            self._lock = threading.RLock()
            self.release = self._lock.release

        def acquire(self, timeout: float) -> bool:
            arrivals.release()
            return self._lock.acquire(timeout=timeout)

    def create() -> ssl.SSLContext:
        for _ in range(THREADS):
            assert arrivals.acquire(timeout=10)
        created.append(context := ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        return context

    monkeypatch.setattr(environment, "_tls_lock", Lock())
    monkeypatch.setattr(environment, "_PATIENCE", 10.0)
    monkeypatch.setattr("httpx.create_ssl_context", create)
    with ThreadPoolExecutor(THREADS) as threads:
        contexts = list(threads.map(lambda _: environment.tls_context(), range(THREADS)))
    assert 1 == len(created)
    assert created * THREADS == contexts


@pytest.mark.usefixtures("no_context")
def test_a_thread_does_not_wait_for_one_that_a_signal_handler_has_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(environment, "_PATIENCE", 0.0)
    with environment._tls_lock, ThreadPoolExecutor(1) as threads:
        context = threads.submit(environment.tls_context).result()
    assert context is environment.tls_context()
