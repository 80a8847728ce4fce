"""The deaths of a process that holds a job: programs, and which jobs they must leave cancelled.

Each program starts with `HEAD`. It holds a guard, writes the line "dying" and dies. Its arguments
are the ids of three jobs: one that it holds, one that has ended, and one for a second guard. Its
standard input ends when the test has seen the cancels of `at_once`. A server first writes "port"
and its port, and then gets a request.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Collection
from textwrap import dedent

from attrs import Factory, field, frozen

HEAD = """\
import os, resource, signal, sys, time
from jobcancel import guard as new_guard

SUPERVISE, HELD, ENDED, OTHER = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

def guard(job_id=HELD, **options):
    held = new_guard("pulse", job_id, supervise=SUPERVISE, **options)
    held.add("pulse", ENDED)
    held.done("pulse", ENDED)
    return held

def dying():
    os.write(1, b"dying\\n")

def die(number=signal.SIGKILL):
    dying()
    os.kill(os.getpid(), number)
    wait()

def wait():
    while True:
        time.sleep(0.01)

"""

HELD, OTHER = "held", "other"
NONE = frozenset[str]()


def _whole(program: str) -> str:
    return HEAD + dedent(program)


@frozen
class Sent:
    """A signal that the test sends to the program, or to the `jobcancel run` that started it.

    Args:
        number: the signal.
        in_request: whether to send it while the vendor works on a cancel request; otherwise it is
            sent after the line "dying".
    """

    number: signal.Signals
    in_request: bool = False


def indented(text: str) -> str:
    """Return the text for an indented string literal."""
    return text.strip().replace("\n", "\n        ")


@frozen
class Death:
    """One way in which a program ends.

    Args:
        name: what happens, as a row of the table in the documentation.
        program: the program, without `HEAD`.
        status: its exit status, as `subprocess` returns it: negative for a signal.
        cancelled: the jobs that the vendor must have cancelled in the end, and no others.
        alone: those without a supervisor; default: the same.
        run: those under `jobcancel run`; default: as with a sidecar.
        at_once: those that must be cancelled, and no others, while a process of the program lives.
        signals: the signals that the test sends.
        stall: seconds that the vendor takes to answer the first cancel request.
    """

    name: str
    program: str = field(converter=_whole)
    status: int = 0
    cancelled: Collection[str] = frozenset({HELD})
    alone: Collection[str] = Factory(lambda self: self.cancelled, takes_self=True)
    run: Collection[str] = Factory(lambda self: self.cancelled, takes_self=True)
    at_once: Collection[str] = NONE
    signals: Collection[Sent] = ()
    stall: float = 0

    def expected(self, mode: str) -> frozenset[str]:
        """Return the jobs that must be cancelled in this mode: `auto`, `run` or `no`."""
        return frozenset({"auto": self.cancelled, "run": self.run, "no": self.alone}[mode])

    def __str__(self) -> str:
        """Return the id of its tests."""
        return re.sub(r"[^\w.]+", " ", self.name).strip()


TERM, INT, HUP, KILL = signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL

ENDS = [
    Death(
        "the block ends normally",
        """
        with guard():
            dying()
        """,
        cancelled=NONE,
    ),
    Death(
        "the block ends normally, `always=True`",
        """
        with guard(always=True):
            dying()
        """,
    ),
    Death(
        "`release()`, then the normal end, `always=True`",
        """
        with guard(always=True) as held:
            held.release()
            dying()
        """,
        cancelled=NONE,
    ),
    Death(
        "`release()`, then an exception",
        """
        with guard() as held:
            held.release()
            dying()
            raise RuntimeError
        """,
        status=1,
        cancelled=NONE,
    ),
    Death(
        "an exception",
        """
        with guard():
            dying()
            raise RuntimeError
        """,
        status=1,
    ),
    Death(
        "an exception that the program handles outside the block",
        """
        try:
            with guard():
                dying()
                raise RuntimeError
        except RuntimeError:
            sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "an exception in an inner guard, handled inside the outer one",
        """
        with guard():
            try:
                with guard(OTHER):
                    dying()
                    raise RuntimeError
            except RuntimeError:
                pass
        """,
        cancelled={OTHER},
    ),
    Death(
        "an exception that leaves two nested guards",
        """
        with guard(), guard(OTHER):
            dying()
            raise RuntimeError
        """,
        status=1,
        cancelled={HELD, OTHER},
    ),
    Death(
        "`sys.exit(3)`",
        """
        with guard():
            dying()
            sys.exit(3)
        """,
        status=3,
    ),
    Death(
        "`MemoryError`, by `RLIMIT_AS`",
        """
        with guard():
            size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + 2**29, resource.RLIM_INFINITY))
            dying()
            bytearray(2**32)
        """,
        status=1,
    ),
    Death(
        "an exception when no file descriptor is left",
        """
        with guard():
            free = os.dup(0)
            os.close(free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (free, free))
            dying()
            raise RuntimeError
        """,
        status=1,
        alone=NONE,
    ),
    Death(
        "the program ends; the guard is not used as a `with` block",
        """
        guard()
        dying()
        """,
    ),
    Death(
        "a generator is closed",
        """
        def work():
            with guard():
                yield
        generator = work()
        next(generator)
        dying()
        generator.close()
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "a generator is garbage-collected",
        """
        def work():
            with guard():
                yield
        generator = work()
        next(generator)
        dying()
        del generator
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "the program ends; a generator is left",
        """
        def work():
            with guard():
                yield
        generator = work()
        next(generator)
        dying()
        """,
    ),
]

SIGNALS = [
    Death(
        "SIGINT (Ctrl-C)",
        """
        with guard():
            dying()
            wait()
        """,
        status=-INT,
        signals=[Sent(INT)],
    ),
    Death(
        "SIGINT, and again during the cancel request",
        """
        with guard():
            dying()
            wait()
        """,
        status=-INT,
        signals=[Sent(INT), Sent(INT, in_request=True)],
        stall=0.3,
    ),
    Death(
        "SIGINT while the main thread waits for a thread pool",
        """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(1) as pool, guard():
            reading = pool.submit(sys.stdin.read)
            dying()
            while True:
                try:
                    reading.result(0.1)
                except TimeoutError:
                    pass
        """,
        status=-INT,
        at_once={HELD},
        signals=[Sent(INT)],
    ),
    Death(
        "SIGTERM",
        """
        with guard():
            dying()
            wait()
        """,
        status=-TERM,
        signals=[Sent(TERM)],
    ),
    Death(
        "SIGTERM; the application's own handler calls `sys.exit(0)`",
        """
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with guard():
            dying()
            wait()
        """,
        signals=[Sent(TERM)],
    ),
    Death(
        "SIGTERM; the application installs its handler in the block",
        """
        with guard():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            dying()
            wait()
        """,
        signals=[Sent(TERM)],
    ),
    Death(
        "SIGTERM, which the application ignores",
        """
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with guard():
            dying()
            os.kill(os.getpid(), signal.SIGTERM)
        """,
        cancelled=NONE,
    ),
    Death(
        "an exception, and SIGTERM during the cancel request",
        """
        with guard():
            dying()
            raise RuntimeError
        """,
        status=-TERM,
        signals=[Sent(TERM, in_request=True)],
        stall=600,
    ),
    Death(
        "SIGTERM between the vendor's answer and `add()`, in `submitting()`",
        """
        with guard() as held, held.submitting():
            dying()
            os.kill(os.getpid(), signal.SIGTERM)
            held.add("pulse", OTHER)
        wait()
        """,
        status=-TERM,
        cancelled={HELD, OTHER},
    ),
    Death(
        "SIGTERM to the whole process group",
        """
        with guard():
            dying()
            os.killpg(0, signal.SIGTERM)
            wait()
        """,
        status=-TERM,
    ),
    Death(
        "SIGTERM in C code that does not return, then SIGKILL",
        """
        import ctypes, subprocess
        from collections import deque
        from functools import partial
        from operator import call
        killer = subprocess.Popen(["/bin/sh", "-c", "read line; kill -9 $PPID"], stdin=-1)
        libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
        with guard():
            libc.pthread_mutex_lock(mutex)
            steps = [  # no line of Python runs between them, and so no handler
                partial(getattr(libc, "raise"), signal.SIGTERM),
                partial(os.write, 1, b"dying\\n"),
                partial(os.write, killer.stdin.fileno(), b"\\n"),
                partial(libc.pthread_mutex_lock, mutex),
            ]
            deque(map(call, steps))
        """,
        status=-KILL,
        alone=NONE,
    ),
    Death(
        "SIGHUP (the terminal closes)",
        """
        with guard():
            dying()
            wait()
        """,
        status=-HUP,
        signals=[Sent(HUP)],
    ),
    Death(
        "SIGALRM; the application's handler raises `TimeoutError`",
        """
        def handle(*_):
            raise TimeoutError
        signal.signal(signal.SIGALRM, handle)
        with guard():
            die(signal.SIGALRM)
        """,
        status=1,
    ),
    Death(
        "SIGUSR1, with its default action",
        """
        with guard():
            die(signal.SIGUSR1)
        """,
        status=-signal.SIGUSR1,
        alone=NONE,
    ),
    Death(
        "SIGPIPE, with its default action",
        """
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        reader, writer = os.pipe()
        with guard():
            os.close(reader)
            dying()
            os.write(writer, b".")
        """,
        status=-signal.SIGPIPE,
        alone=NONE,
    ),
    Death(
        "SIGXCPU, by `RLIMIT_CPU`",
        """
        with guard():
            resource.setrlimit(resource.RLIMIT_CPU, (1, resource.RLIM_INFINITY))
            dying()
            while True:
                pass
        """,
        status=-signal.SIGXCPU,
        alone=NONE,
    ),
]

CRASHES = [
    Death(
        "`os._exit(4)`",
        """
        with guard():
            dying()
            os._exit(4)
        """,
        status=4,
        alone=NONE,
    ),
    Death(
        "SIGQUIT",
        """
        with guard():
            die(signal.SIGQUIT)
        """,
        status=-signal.SIGQUIT,
        alone=NONE,
    ),
    Death(
        "SIGSEGV: a null pointer in C code",
        """
        import ctypes
        with guard():
            dying()
            ctypes.string_at(0)
        """,
        status=-signal.SIGSEGV,
        alone=NONE,
    ),
    Death(
        "SIGABRT: `abort()` in C code",
        """
        import ctypes
        with guard():
            dying()
            ctypes.CDLL(None).abort()
        """,
        status=-signal.SIGABRT,
        alone=NONE,
    ),
    Death(
        "SIGKILL",
        """
        with guard():
            die()
        """,
        status=-KILL,
        alone=NONE,
    ),
    Death(
        "SIGKILL by another process, as from the OOM killer",
        """
        import subprocess
        with guard():
            dying()
            subprocess.Popen(["/bin/sh", "-c", f"kill -9 {os.getpid()}"])
            wait()
        """,
        status=-KILL,
        alone=NONE,
    ),
    Death(
        "SIGKILL of the whole process group (`jobcancel run` dies with it)",
        """
        with guard():
            dying()
            os.killpg(0, signal.SIGKILL)
            wait()
        """,
        status=-KILL,
        alone=NONE,
        run=NONE,
    ),
    Death(
        "SIGKILL; another program, which it started, lives on",
        """
        import subprocess
        with guard():
            subprocess.Popen(["/bin/cat"], stdout=subprocess.DEVNULL)
            die()
        """,
        status=-KILL,
        alone=NONE,
        at_once={HELD},
    ),
    Death(
        "`os.execv` in the block; the new program lives on",
        """
        with guard():
            dying()
            os.execv("/bin/sh", ["sh", "-c", "read line; exit 5"])
        """,
        status=5,
        alone=NONE,
        at_once={HELD},
    ),
    Death(
        "the program closes all its file descriptors, then SIGKILL",
        """
        with guard():
            os.closerange(3, 1024)
            die()
        """,
        status=-KILL,
        alone=NONE,
    ),
    Death(
        "the program closes all its file descriptors and lives on, then an exception",
        """
        with guard():
            os.closerange(3, 1024)
            if os.fork() == 0:
                with guard(OTHER):
                    die()
            os.wait()
            sys.stdin.read()
            raise RuntimeError
        """,
        status=1,
        cancelled={HELD, OTHER},
        alone={HELD},
        at_once={OTHER},
    ),
    Death(
        "the program closes all its file descriptors, then the block ends normally",
        """
        with guard():
            os.closerange(3, 1024)
            dying()
        """,
        cancelled=NONE,
    ),
    Death(
        "the program closes all its file descriptors and opens others, then the normal end",
        """
        import select, socket
        with guard():
            os.closerange(3, 1024)
            others = [each for _ in range(16) for each in socket.socketpair()]
            dying()
        assert select.select(others, [], [], 0)[0] == []
        """,
        cancelled=NONE,
    ),
]

ASYNC = [
    Death(
        "asyncio: an exception",
        """
        import asyncio
        async def main():
            async with guard():
                dying()
                raise RuntimeError
        asyncio.run(main())
        """,
        status=1,
    ),
    Death(
        "asyncio: `sys.exit(3)` in a task",
        """
        import asyncio
        async def main():
            async with guard():
                dying()
                sys.exit(3)
        asyncio.run(main())
        """,
        status=3,
    ),
    Death(
        "asyncio: `asyncio.timeout`",
        """
        import asyncio
        async def main():
            try:
                async with asyncio.timeout(0), guard():
                    dying()
                    await asyncio.sleep(60)
            except TimeoutError:
                sys.stdin.read()
        asyncio.run(main())
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: `task.cancel()`",
        """
        import asyncio
        async def work(entered):
            async with guard():
                entered.set()
                await asyncio.sleep(60)
        async def main():
            entered = asyncio.Event()
            task = asyncio.create_task(work(entered))
            await entered.wait()
            dying()
            task.cancel()
            await asyncio.wait([task])
            sys.stdin.read()
        asyncio.run(main())
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: `task.cancel()`, and again before the job is cancelled",
        """
        import asyncio
        async def work(entered):
            async with guard():
                entered.set()
                await asyncio.sleep(60)
        async def main():
            entered = asyncio.Event()
            task = asyncio.create_task(work(entered))
            await entered.wait()
            dying()
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            sys.stdin.read()
        asyncio.run(main())
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: `task.cancel()`; the guard is a `with` block in the task",
        """
        import asyncio
        async def work(entered):
            with guard():
                entered.set()
                await asyncio.sleep(60)
        async def main():
            entered = asyncio.Event()
            task = asyncio.create_task(work(entered))
            await entered.wait()
            dying()
            task.cancel()
            await asyncio.wait([task])
            sys.stdin.read()
        asyncio.run(main())
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: an exception in another task of a `TaskGroup`",
        """
        import asyncio
        async def work(entered):
            async with guard():
                entered.set()
                await asyncio.sleep(60)
        async def main():
            entered = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(work(entered))
                await entered.wait()
                dying()
                raise RuntimeError
        asyncio.run(main())
        """,
        status=1,
    ),
    Death(
        "asyncio: `asyncio.run` ends while a shielded task holds the job",
        """
        import asyncio
        async def work(entered):
            async with guard():
                entered.set()
                await asyncio.sleep(60)
        async def main():
            entered = asyncio.Event()
            task = asyncio.create_task(work(entered))
            await entered.wait()
            dying()
            try:
                async with asyncio.timeout(0):
                    await asyncio.shield(task)
            except TimeoutError:
                assert not task.done()
        asyncio.run(main())
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: `aclose()` of an async generator",
        """
        import asyncio
        async def work():
            async with guard():
                yield
        async def main():
            generator = work()
            await anext(generator)
            dying()
            await generator.aclose()
            sys.stdin.read()
        asyncio.run(main())
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: `asyncio.run` ends while an async generator holds the job",
        """
        import asyncio
        async def work():
            async with guard():
                yield
        async def main():
            generators.append(work())
            await anext(generators[0])
            dying()
        generators = []
        asyncio.run(main())
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "asyncio: SIGINT",
        """
        import asyncio
        async def main():
            async with guard():
                dying()
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(60)
        asyncio.run(main())
        """,
        status=-INT,
    ),
    Death(
        "asyncio: SIGTERM",
        """
        import asyncio
        async def main():
            async with guard():
                dying()
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(60)
        asyncio.run(main())
        """,
        status=-TERM,
    ),
    Death(
        "asyncio: SIGTERM; `loop.add_signal_handler` cancels the task",
        """
        import asyncio
        async def main():
            task = asyncio.current_task()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
            async with guard():
                dying()
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.sleep(60)
        asyncio.run(main())
        """,
        status=1,
    ),
    Death(
        "asyncio: the event loop is closed while the task holds the job",
        """
        import asyncio
        async def work(entered):
            async with guard():
                entered.set()
                await asyncio.sleep(60)
        async def main():
            entered = asyncio.Event()
            tasks.append(asyncio.ensure_future(work(entered)))
            await entered.wait()
        tasks = []
        loop = asyncio.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        dying()
        """,
    ),
    Death(
        "asyncio: SIGKILL",
        """
        import asyncio
        async def main():
            async with guard():
                die()
        asyncio.run(main())
        """,
        status=-KILL,
        alone=NONE,
    ),
    Death(
        "anyio: a cancel scope is cancelled",
        """
        import anyio
        async def main():
            with anyio.CancelScope() as scope:
                async with guard():
                    dying()
                    scope.cancel()
                    await anyio.sleep(60)
            sys.stdin.read()
        anyio.run(main)
        """,
        at_once={HELD},
    ),
    Death(
        "trio: a cancel scope is cancelled",
        """
        import trio
        async def main():
            with trio.CancelScope() as scope:
                async with guard():
                    dying()
                    scope.cancel()
                    await trio.sleep(60)
            sys.stdin.read()
        trio.run(main)
        """,
        at_once={HELD},
    ),
    Death(
        "trio: an exception in another task of the nursery",
        """
        import trio
        async def work(task_status):
            async with guard():
                task_status.started()
                await trio.sleep(60)
        async def main():
            async with trio.open_nursery() as nursery:
                await nursery.start(work)
                dying()
                raise RuntimeError
        trio.run(main)
        """,
        status=1,
    ),
    Death(
        "trio: SIGINT",
        """
        import trio
        async def main():
            async with guard():
                dying()
                os.kill(os.getpid(), signal.SIGINT)
                await trio.sleep(60)
        trio.run(main)
        """,
        status=-INT,
    ),
]

THREADS = [
    Death(
        "an exception in a thread",
        """
        from threading import Thread
        def work():
            with guard():
                dying()
                raise RuntimeError
        thread = Thread(target=work)
        thread.start()
        thread.join()
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "`sys.exit(3)` in a thread",
        """
        from threading import Thread
        def work():
            with guard():
                dying()
                sys.exit(3)
        thread = Thread(target=work)
        thread.start()
        thread.join()
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "the program ends while a daemon thread holds the job",
        """
        from threading import Event, Thread
        entered = Event()
        def work():
            with guard():
                entered.set()
                Event().wait()
        Thread(target=work, daemon=True).start()
        entered.wait()
        dying()
        """,
    ),
    Death(
        "SIGTERM while only a thread holds a job",
        """
        from threading import Event, Thread
        entered = Event()
        def work():
            with guard():
                entered.set()
                Event().wait()
        Thread(target=work, daemon=True).start()
        entered.wait()
        die(signal.SIGTERM)
        """,
        status=-TERM,
        alone=NONE,
    ),
    Death(
        "`guard.install()` first, then SIGTERM while only a thread holds a job",
        """
        from threading import Event, Thread
        new_guard.install()
        entered = Event()
        def work():
            with guard():
                entered.set()
                Event().wait()
        Thread(target=work).start()
        entered.wait()
        die(signal.SIGTERM)
        """,
        status=-TERM,
    ),
    Death(
        "`guard.install()` first, then SIGTERM while nothing is held",
        """
        new_guard.install()
        with guard():
            pass
        die(signal.SIGTERM)
        """,
        status=-TERM,
        cancelled=NONE,
    ),
]

PROCESSES = [
    Death(
        "fork: an exception in the child leaves the parent's block",
        """
        with guard():
            if os.fork() == 0:
                dying()
                raise RuntimeError
            os.wait()
        """,
        cancelled=NONE,
    ),
    Death(
        "fork: `os._exit` in the child, in the parent's block",
        """
        with guard():
            if os.fork() == 0:
                dying()
                os._exit(0)
            os.wait()
        """,
        cancelled=NONE,
    ),
    Death(
        "fork: SIGKILL of the parent; the child lives on in the parent's block",
        """
        with guard():
            if os.fork() == 0:
                sys.stdin.read()
                os._exit(0)
            die()
        """,
        status=-KILL,
        alone=NONE,
        at_once={HELD},
    ),
    Death(
        "fork: SIGTERM to a child with its own guard; the parent lives on",
        """
        with guard():
            if os.fork() == 0:
                with guard(OTHER):
                    die(signal.SIGTERM)
            os.wait()
            sys.stdin.read()
        """,
        cancelled={OTHER},
        at_once={OTHER},
    ),
    Death(
        "fork: SIGKILL of a child with its own guard; the parent lives on",
        """
        with guard():
            if os.fork() == 0:
                with guard(OTHER):
                    die()
            os.wait()
            sys.stdin.read()
        """,
        cancelled={OTHER},
        alone=NONE,
        at_once={OTHER},
    ),
    Death(
        "SIGKILL of a worker of a process pool",
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        def work():
            with guard():
                die()
        with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
            try:
                pool.submit(work).result()
            except BrokenProcessPool:
                sys.stdin.read()
        """,
        alone=NONE,
        at_once={HELD},
    ),
    Death(
        "`terminate()` of a `multiprocessing.Process`",
        """
        import multiprocessing
        context = multiprocessing.get_context("fork")
        def work(entered):
            with guard():
                entered.set()
                wait()
        entered = context.Event()
        process = context.Process(target=work, args=[entered])
        process.start()
        entered.wait()
        dying()
        process.terminate()
        process.join()
        sys.stdin.read()
        """,
        at_once={HELD},
    ),
    Death(
        "the program waits for its children until none is left, then ends normally",
        """
        with guard():
            if os.fork() == 0:
                os._exit(0)
            try:
                while True:
                    os.wait()
            except ChildProcessError:
                dying()
        """,
        cancelled=NONE,
    ),
    Death(
        "the program becomes a daemon in the block (a double fork)",
        """
        with guard():
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    sys.stdin.read()
                os._exit(0)
            os.wait()
            dying()
            os._exit(0)
        """,
        alone=NONE,
        at_once={HELD},
    ),
    Death(
        "the program becomes a daemon (a double fork), then guards a job, then SIGKILL",
        """
        from_daemon, to_program = os.pipe()
        from_program, to_daemon = os.pipe()
        if os.fork():
            os.close(to_program)
            os.wait()
            os.read(from_daemon, 1)
            os._exit(0)
        os.close(to_daemon)
        os.setsid()
        if os.fork():
            os._exit(0)
        with guard():
            os.write(to_program, b".")
            os.read(from_program, 1)
            die()
        """,
        alone=NONE,
    ),
]

UVICORN = """
handle = dying
import asyncio, socket
import uvicorn
async def app(scope, receive, send):
    async with guard():
        handle()
        await asyncio.sleep(60)
def serve():
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, lifespan="off", timeout_graceful_shutdown=1)
    os.write(1, b"port %d\\n" % listener.getsockname()[1])
    uvicorn.Server(config).run([listener])
"""

GUNICORN = """
handle = dying
from gunicorn.app.base import BaseApplication
def app(environ, start_response):
    with guard():
        handle()
        wait()
class Application(BaseApplication):
    def __init__(self, **settings):
        self.settings = {"graceful_timeout": 1, "when_ready": self.write_port, **settings}
        super().__init__()
    def load_config(self):
        self.cfg.set("bind", "127.0.0.1:0")
        if "control_socket_disable" in self.cfg.settings:  # of new versions
            self.cfg.set("control_socket_disable", True)
        for name, value in self.settings.items():
            self.cfg.set(name, value)
    def load(self):
        return app
    def write_port(self, master):
        os.write(1, b"port %d\\n" % master.LISTENERS[0].sock.getsockname()[1])
"""

SERVERS = [
    Death(
        "uvicorn: SIGTERM; the request outlasts `timeout_graceful_shutdown`",
        f"""
        {indented(UVICORN)}
        serve()
        """,
        status=-TERM,
        alone=NONE,
        signals=[Sent(TERM)],
    ),
    Death(
        "uvicorn: the same, with `guard.install()` first",
        f"""
        {indented(UVICORN)}
        new_guard.install()
        serve()
        """,
        status=-TERM,
        signals=[Sent(TERM)],
    ),
    Death(
        "uvicorn: SIGKILL during a request",
        f"""
        {indented(UVICORN)}
        handle = die
        serve()
        """,
        status=-KILL,
        alone=NONE,
    ),
    Death(
        "gunicorn: SIGTERM; the request outlasts `graceful_timeout`",
        f"""
        {indented(GUNICORN)}
        Application().run()
        """,
        alone=NONE,
        signals=[Sent(TERM)],
    ),
    Death(
        "gunicorn: a request outlasts `timeout`",
        f"""
        {indented(GUNICORN)}
        def stop(master, worker):
            os.kill(os.getpid(), signal.SIGTERM)
        def go_on(worker):  # else it is killed after another second, which may be too soon
            until = time.monotonic() + 600
            os.utime(worker.tmp.fileno(), (until, until))
        Application(timeout=1, worker_abort=go_on, child_exit=stop).run()
        """,
    ),
    Death(
        "gunicorn: SIGKILL of a worker",
        f"""
        {indented(GUNICORN)}
        def stop(master, worker):
            os.kill(os.getpid(), signal.SIGTERM)
        handle = die
        Application(child_exit=stop).run()
        """,
        alone=NONE,
    ),
]

GROUPS = {
    "Exceptions and exits": ENDS,
    "Signals": SIGNALS,
    "Crashes and kills": CRASHES,
    "Async code": ASYNC,
    "Threads": THREADS,
    "Processes": PROCESSES,
    "Servers, during a request": SERVERS,
}
"""Heading in the documentation -> the deaths below it."""

DEATHS = [death for group in GROUPS.values() for death in group]

PAIRS = [(death, mode) for death in DEATHS for mode in ("auto", "run", "no")]
"""Each death with each kind of supervisor: a sidecar, `jobcancel run`, none."""


def is_quick(death: Death, mode: str) -> bool:
    """Return whether the short suite runs a pair; `tests/faults` runs the others.

    It runs those that only a sidecar covers. Its other tests cover blocks, signals and exits.
    """
    return mode == "auto" and death not in SERVERS and death.expected(mode) != death.expected("no")


def tables() -> str:
    """Return the tables of the documentation."""
    return "\n".join(f"### {title}\n\n{_table(deaths)}" for title, deaths in GROUPS.items())


def _table(deaths: list[Death]) -> str:
    head = (
        '| | exit status | sidecar | `jobcancel run` | `supervise="no"` |\n|---|---|---|---|---|\n'
    )
    return head + "".join(
        f"| {death.name} | {_status(death.status)} | "
        f"{' | '.join(_cell(death, mode) for mode in ('auto', 'run', 'no'))} |\n"
        for death in deaths
    )


def _status(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"{status}"


def _cell(death: Death, mode: str) -> str:
    if not death.cancelled:
        return "not sent"
    if death.expected(mode) == {*death.cancelled}:
        return "cancelled"
    return "**one of two runs on**" if death.expected(mode) else "**runs on**"
