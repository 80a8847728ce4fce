"""A page for each provider, made from its declaration whenever the documentation is built."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from jobcancel import get_adapter, providers
from jobcancel.adapter.routes import declared
from jobcancel.cli.describe import describe
from jobcancel.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sphinx.application import Sphinx

    from jobcancel import Adapter

FOLDER = Path(__file__).parent / "providers"

SECTIONS = {
    "requests": ("What is sent", "| | |"),
    "replies": ("How a reply to the cancel is read", "| reply | what it means |"),
    "states": ("The vendor's words for a job's state", "| word | state |"),
}


def page(name: str) -> str:
    """Return a provider's page as MyST Markdown."""
    adapter = get_adapter(name)
    facts = describe(adapter)
    about = facts.pop("provider")
    lines = [f"# {about['title']}: `{name}`", "", *_call(adapter), f"Source: {about['docs']}.", ""]
    if "deprecated" in about:
        lines += [f"Deprecated: {about['deprecated']}.", ""]
    lines += [about.get("notes", ""), "", _sources(name), ""]
    for section, told in facts.items():
        heading, columns = SECTIONS[section]
        lines += [f"## {heading}", "", columns, "|---|---|", *_rows(told), ""]
    return "\n".join(lines)


def _sources(name: str) -> str:
    """Return what a provider's module says of where its facts are from, and what is unknown."""
    module = import_module(BUILT_IN[name].partition(":")[0])
    return (module.__doc__ or "").partition("\n")[2].strip()


def _call(adapter: Adapter) -> list[str]:
    """Return how the provider is called, with the params that it needs."""
    needed = {
        name: "..."
        for name, param in declared(adapter.params).items()
        if param.default is None and (not param.optional or f"{{{name}}}" in adapter.default_url)
    }
    params = f", params={json.dumps(needed)}" if needed else ""
    return ["```python", f'cancel("{adapter.name}", job_id{params})', "```", ""]


def _rows(told: Mapping[str, str]) -> list[str]:
    return [f"| {_cell(what)} | {_cell(meaning)} |" for what, meaning in told.items()]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("{", "\\{").replace("<", "\\<").replace("*", "\\*")


def write(_: Sphinx) -> None:
    """Write the page of every provider that changed."""
    FOLDER.mkdir(exist_ok=True)
    for name in providers():
        path, text = FOLDER / f"{name}.md", page(name)
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
