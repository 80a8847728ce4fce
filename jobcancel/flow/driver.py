"""The two loops that run a flow: one for sync code, one for async code."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from jobcancel.flow.events import Flow, Pause, Reply, Send, T

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def drive(flow: Flow[T], send: Callable[[Send], Reply], wait: Callable[[Pause], None]) -> T:
    """Run a flow to its result.

    Args:
        flow: the decisions, such as `flow.cancel(call)`.
        send: sends one request; returns the reply or the fault.
        wait: waits.
    """
    answer: Reply | None = None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        answer = None
        if isinstance(step, Send):
            answer = send(step)
        else:
            wait(step)


async def adrive(
    flow: Flow[T],
    send: Callable[[Send], Awaitable[Reply]],
    wait: Callable[[Pause], Awaitable[None]],
) -> T:
    """Run a flow to its result in async code; arguments as for `drive`."""
    answer: Reply | None = None
    while True:
        try:
            step = flow.send(answer)
        except StopIteration as done:
            return cast("T", done.value)
        answer = None
        if isinstance(step, Send):
            answer = await send(step)
        else:
            await wait(step)
