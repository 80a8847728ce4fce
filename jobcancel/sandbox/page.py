"""The sandbox's overview: a page for `GET /`, and text for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from operator import attrgetter
from textwrap import wrap
from typing import TYPE_CHECKING

from jobcancel.sandbox.journal import mask_query
from jobcancel.sandbox.situations import SITUATIONS
from jobcancel.sandbox.vendors.catalog import VENDORS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobcancel.sandbox.jobs import SandboxJob
    from jobcancel.sandbox.journal import Received
    from jobcancel.sandbox.server import Sandbox
    from jobcancel.sandbox.situations import Situation
    from jobcancel.sandbox.world import World

_SHOWN = 50
"""How many requests the page shows."""
_LISTED = 100
"""How many submitted jobs the page shows."""
_COLUMNS = 100
"""Width from which a job takes one line."""

_SHOWN_FIRST = "pulse"
"""The provider whose jobs the terminal lists and the page unfolds."""

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881;
  --accent: light-dark(#0b57d0, #8ab4f8) }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto;
  padding: 0 1rem }
h1 { margin: 0; font-size: 1.6rem }
h2 { margin: 2rem 0 .5rem; font-size: 1.1rem }
p { margin: .4rem 0 }
pre, td code { font: 13px/1.5 ui-monospace, monospace }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 6px;
  padding: .7rem 1rem; overflow-x: auto }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0;
  border-bottom: 1px solid var(--line) }
th { font-weight: 600 }
td.word { white-space: nowrap }
td.text { min-width: 18rem; overflow-wrap: anywhere }
button { font: inherit; padding: .35rem .9rem; border-radius: 6px; background: none;
  border: 1px solid var(--accent); color: var(--accent); cursor: pointer }
summary { cursor: pointer; padding: .3rem 0 }
header { display: flex; justify-content: space-between; align-items: start; gap: 1rem }
"""


def environment(url: str) -> dict[str, str]:
    """Return the environment variables that point jobcancel at the sandbox at `url`."""
    found = {}
    for name, each in VENDORS.items():
        found[each.key_env] = each.key()
        # Its path serves all vendors that share the key.
        found.setdefault(each.url_env, f"{url}/{name}{each.base}")
    return found


def render(world: World, url: str) -> str:
    """Return the page; the caller holds the world's lock."""
    jobs = [job for provider in VENDORS for job in world.jobs.of(provider)]
    submitted = sorted((job for job in jobs if not job.seeded), key=attrgetter("created"))
    received = world.journal.entries()[-_SHOWN:]
    exports = "\n".join(f"export {name}={value}" for name, value in environment(url).items())
    states = {(job.provider, job.job_id): job.state.value for job in jobs}
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jobcancel sandbox</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
<header><div><h1>jobcancel sandbox</h1>
<p>A local mock of the vendors. Nothing leaves this computer.</p></div>
<form method="post" action="/_sandbox/reset"><button>Reset</button></form></header>
<h2>Point jobcancel at it</h2>
<pre>{escape(exports)}</pre>
<h2>Seeded jobs</h2>
{"".join(_seeded(provider, states) for provider in VENDORS)}
<h2>Submitted jobs</h2>
{_table(_SUBMITTED, map(_job_row, reversed(submitted[-_LISTED:])))}
<h2>Requests received</h2>
{_table(_REQUESTS, (_request_row(each) for each in reversed(received)))}
</html>
"""


_SEEDED = ("Job id", "State", "Expect", "Scenario")
_SUBMITTED = ("Provider", "Job id", "State", "Submitted")
_REQUESTS = ("Time (UTC)", "Method", "Path", "Status")


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    if not body:
        return "<p>None yet.</p>"
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f'<div class="wide"><table><tr>{names}</tr>\n{body}\n</table></div>'


def _cells(*words: str) -> str:
    return "".join(f'<td class="word">{escape(word)}</td>' for word in words)


def _code(text: str) -> str:
    return f'<td class="word"><code>{escape(text)}</code></td>'


def _seeded(provider: str, states: dict[tuple[str, str], str]) -> str:
    rows = (_situation_row(each, states) for each in SITUATIONS if each.provider == provider)
    opened = " open" if provider == _SHOWN_FIRST else ""
    table = _table(_SEEDED, rows)
    return f"<details{opened}><summary>{escape(provider)}</summary>\n{table}\n</details>\n"


def _situation_row(situation: Situation, states: dict[tuple[str, str], str]) -> str:
    state = states.get((situation.provider, situation.job_id), "no job")
    text = escape(situation.description)
    if situation.key is not None:
        text += f" Use key <code>{escape(situation.key)}</code>."
    if situation.verified is not None:
        text += f" With <code>verify=True</code>: {escape(situation.verified)}."
    cells = _code(situation.job_id) + _cells(state, situation.expected)
    return f'<tr>{cells}<td class="text">{text}</td></tr>'


def _job_row(job: SandboxJob) -> str:
    id_ = _code(job.job_id)
    return f"<tr>{_cells(job.provider)}{id_}{_cells(job.state, _clock(job.created))}</tr>"


def _request_row(received: Received) -> str:
    status = "no answer" if received.status is None else str(received.status)
    words = _cells(_clock(received.time), received.method)
    path = f'<td class="text"><code>{escape(mask_query(received.path))}</code></td>'
    return f"<tr>{words}{path}{_cells(status)}</tr>"


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")


def startup_text(sandbox: Sandbox, columns: int = 100) -> str:
    """Return the text for a terminal when the sandbox has started: jobs, then variables.

    Args:
        sandbox: a running sandbox.
        columns: the terminal's width in characters; below 100, a job takes two lines.
    """
    chosen = [each for each in SITUATIONS if each.provider == _SHOWN_FIRST]
    ids = max(len(each.job_id) for each in chosen)
    outcomes = max(len(each.expected) for each in chosen)
    lines = [f"jobcancel sandbox at {sandbox.url}", ""]
    lines.append(f"{_SHOWN_FIRST}: job ids, the outcome to expect, and the scenario")
    for each in chosen:
        start = f"  {each.job_id:{ids}}  {each.expected:{outcomes}}  "
        text = f"{each.description} (key {each.key})" if each.key else each.description
        if each.verified is not None:
            text += f" With --verify: {each.verified}."
        if columns < _COLUMNS:
            lines.append(start.rstrip())
            start = "    "
        lines += wrap(text, columns, initial_indent=start, subsequent_indent=" " * len(start))
    # Last, so that the lines to paste stay visible.
    lines.append("")
    lines += [
        f"export {name}={value}"
        for name, value in sandbox.environ.items()
        if name.startswith(("PULSE_", "TALONIC_"))
    ]
    lines.append(f"# {len(VENDORS) - 1} more providers have the same jobs: their ids and")
    lines.append("# variables are on the page")
    return "\n".join(lines) + "\n"
