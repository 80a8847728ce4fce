"""The sandbox's overview: as a page for `GET /`, and as text for a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from operator import attrgetter
from textwrap import wrap
from typing import TYPE_CHECKING

from jobcancel.sandbox.journal import mask_query
from jobcancel.sandbox.keys import KEYS, MAIN_KEYS
from jobcancel.sandbox.seeds import SITUATIONS
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
"""How many submitted jobs it shows."""
_COLUMNS = 100
"""How wide the text may be."""

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
header { display: flex; justify-content: space-between; align-items: start; gap: 1rem }
"""


def environment(url: str) -> dict[str, str]:
    """Return the environment variables that point jobcancel at the sandbox at `url`."""
    found = {}
    for vendor in ("pulse", "talonic"):
        found[f"{vendor.upper()}_API_KEY"] = MAIN_KEYS[vendor]
        found[f"{vendor.upper()}_BASE_URL"] = f"{url}/{vendor}"
    for name, each in VENDORS.items():
        found[each.key_env] = each.key
        # The first of a family answers for the others, too.
        found.setdefault(each.url_env, f"{url}/{name}{each.base}")
    return found


def render(world: World, url: str) -> str:
    """Return the page; the caller holds the world's lock."""
    jobs = [job for vendor in KEYS for job in world.jobs.of(vendor)]
    submitted = sorted((job for job in jobs if not job.seeded), key=attrgetter("created"))
    received = world.journal.entries()[-_SHOWN:]
    exports = "\n".join(f"export {name}={value}" for name, value in environment(url).items())
    states = {(job.vendor, job.job_id): job.state.value for job in jobs}
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>jobcancel sandbox</title>
<link rel="icon" href="data:,">
<style>{_STYLE}</style>
<header><div><h1>jobcancel sandbox</h1>
<p>A local stand-in for the vendors. Nothing leaves this computer.</p></div>
<form method="post" action="/_sandbox/reset"><button>Reset</button></form></header>
<h2>Point jobcancel at it</h2>
<pre>{escape(exports)}</pre>
<h2>Seeded jobs</h2>
{_table(_SEEDED, (_situation_row(each, states) for each in SITUATIONS))}
<h2>Submitted jobs</h2>
{_table(_SUBMITTED, map(_job_row, reversed(submitted[-_LISTED:])))}
<h2>Requests received</h2>
{_table(_REQUESTS, (_request_row(each) for each in reversed(received)))}
</html>
"""


_SEEDED = ("Vendor", "Job id", "State", "Expect", "What is the matter")
_SUBMITTED = ("Vendor", "Job id", "State", "Submitted")
_REQUESTS = ("Time (UTC)", "Method", "Path", "Status")


def _table(head: Iterable[str], rows: Iterable[str]) -> str:
    body = "\n".join(rows)
    if not body:
        return "<p>None yet.</p>"
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f'<div class="wide"><table><tr>{names}</tr>\n{body}\n</table></div>'


def _row(vendor: str, code: str, *words: str) -> str:
    cells = (escape(vendor), f"<code>{escape(code)}</code>", *map(escape, words))
    return "<tr>" + "".join(f'<td class="word">{cell}</td>' for cell in cells)


def _situation_row(situation: Situation, states: dict[tuple[str, str], str]) -> str:
    state = states.get((situation.vendor, situation.job_id), "no job")
    row = _row(situation.vendor, situation.job_id, state, situation.outcome)
    about = escape(situation.about)
    if situation.key is not None:
        about += f" Use the key <code>{escape(situation.key)}</code>."
    if situation.verified_outcome is not None:
        about += f" With <code>verify=True</code>: {escape(situation.verified_outcome)}."
    return f'{row}<td class="text">{about}</td></tr>'


def _job_row(job: SandboxJob) -> str:
    return _row(job.vendor, job.job_id, job.state, _clock(job.created)) + "</tr>"


def _request_row(received: Received) -> str:
    status = "no answer" if received.status is None else str(received.status)
    cells = (_clock(received.time), received.method)
    words = "".join(f'<td class="word">{escape(cell)}</td>' for cell in cells)
    path = f'<td class="text"><code>{escape(mask_query(received.path))}</code></td>'
    return f'<tr>{words}{path}<td class="word">{status}</td></tr>'


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")


def startup_text(sandbox: Sandbox, columns: int = 100) -> str:
    """Return what a terminal shows when the sandbox has started: the jobs, then the variables.

    Args:
        sandbox: a running sandbox.
        columns: the terminal's width in characters; below 100, a job takes two lines.
    """
    lines = [f"jobcancel sandbox at {sandbox.url}"]
    seeded = list(dict.fromkeys(each.vendor for each in SITUATIONS))
    for vendor in seeded:
        chosen = [each for each in SITUATIONS if each.vendor == vendor]
        ids = max(len(each.job_id) for each in chosen)
        outcomes = max(len(each.outcome) for each in chosen)
        lines += ["", f"{vendor}: job id, what cancelling it must report, and why"]
        for each in chosen:
            start = f"  {each.job_id:{ids}}  {each.outcome:{outcomes}}  "
            about = f"{each.about} (key {each.key})" if each.key else each.about
            if each.verified_outcome is not None:
                about += f" With --verify: {each.verified_outcome}."
            if columns < _COLUMNS:
                lines.append(start.rstrip())
                start = "    "
            rest = " " * len(start)
            lines += wrap(about, columns, initial_indent=start, subsequent_indent=rest)
    # Last, so that what is to be pasted has not scrolled away.
    lines.append("")
    lines += [
        f"export {name}={value}"
        for name, value in sandbox.environ.items()
        if name.partition("_")[0].lower() in seeded
    ]
    lines.append(f"# {len(VENDORS)} more providers: their variables are on the page,")
    lines.append("# and jobs for them are made by POST /_sandbox/jobs")
    return "\n".join(lines) + "\n"
