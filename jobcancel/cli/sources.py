"""What `--from` reads: NDJSON, CSV or plain ids, each line a job or what is wrong with it.

One line is held at a time, so that a file may be of any length and a pipe may go on for hours.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from typing import BinaryIO, TypeAlias, cast

from attrs import frozen

from jobcancel import ConfigurationError, Job, UnknownProvider, config, get_adapter

_LONGEST_LINE = 1 << 20
"""Bytes; something longer is no job, and a file without line breaks must not fill the memory."""

Fields: TypeAlias = Mapping[str, object]
"""What a line says: `provider`, `job_id` and `params`, each of which may be missing."""


@frozen
class Malformed:
    """A line that is no job.

    Args:
        line: its number, from 1.
        problem: what is wrong with it.
    """

    line: int
    problem: str


def read(
    file: BinaryIO, *, provider: str | None, params: Mapping[str, str]
) -> Iterator[Job | Malformed]:
    """Read jobs; the first line that is not blank tells in which of the formats they are.

    Args:
        file: where the lines come from.
        provider: whose jobs they are where a line does not say so.
        params: what the vendor needs besides the id where a line does not say so.

    Raises:
        ConfigurationError: these are plain ids, and there is no `provider`; or this is CSV
            without ids.
        BrokenAdapter: the plug-in for a provider cannot be used.
    """
    parse: Callable[[str], Fields] | None = None
    for line in _lines(file):
        if parse is None:
            if columns := _header(line.start):
                parse = partial(_row, columns)
                continue
            parse = _object if line.start.startswith(b"{") else _id
            if parse is _id and "provider" in _columns(line.start):
                raise ConfigurationError(
                    f"{line.start.decode(errors='replace')!r} looks like the header of a CSV, but "
                    "has no job_id; call the column of the ids job_id"
                )
            if parse is _id and provider is None:
                raise ConfigurationError(
                    "neither NDJSON nor CSV with a job_id in its header, so these are plain ids, "
                    "one a line; give PROVIDER to say whose they are"
                )
        try:
            found: Job | Malformed = _job(parse(line.text()), provider, params)
        except (UnknownProvider, ConfigurationError) as error:
            found = Malformed(line.number, str(error))
        yield found


def count(file: BinaryIO) -> int:
    """Return how many jobs `read` would find at the most."""
    lines = _lines(file)
    first = next(lines, None)
    if first is None:
        return 0
    return (not _header(first.start)) + sum(1 for _ in lines)


@frozen
class _Line:
    """A line that is not blank: its number, its start, and whether that is not all of it."""

    number: int
    start: bytes
    cut: bool

    def text(self) -> str:
        if self.cut:
            raise ConfigurationError(f"longer than {_LONGEST_LINE:,} bytes")
        try:
            return self.start.decode()
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"not UTF-8: {error.reason}") from None


def _lines(file: BinaryIO) -> Iterator[_Line]:
    number = 0
    while raw := file.readline(_LONGEST_LINE):
        number, part = number + 1, raw
        while len(part) == _LONGEST_LINE and not part.endswith(b"\n"):
            part = file.readline(_LONGEST_LINE)
        cut = part is not raw
        start = raw.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").strip()
        if start or cut:
            yield _Line(number, start, cut)


def _header(raw: bytes) -> list[str]:
    """Return the names of the columns if this is a CSV header, else nothing."""
    columns = [] if raw.startswith(b"{") else _columns(raw)
    return columns if "job_id" in columns else []


def _columns(raw: bytes) -> list[str]:
    try:
        return _cells(raw.decode(errors="replace"))
    except ConfigurationError:
        return []


def _cells(text: str) -> list[str]:
    try:
        # A line at a time: an unclosed quote must not swallow the lines after it.
        cells = next(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ConfigurationError(f"not CSV: {error}") from None
    return [cell.strip() for cell in cells]


def _row(columns: list[str], text: str) -> Fields:
    cells = _cells(text)
    if len(cells) != len(columns):
        found = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        raise ConfigurationError(f"{found} where the header has {len(columns)}")
    if len(set(columns)) != len(columns):
        raise ConfigurationError(f"the header names a column twice: {', '.join(columns)}")
    params = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    return {name: params.pop(name, None) for name in _NAMES[:2]} | {"params": params}


def _object(text: str) -> Fields:
    try:
        fields = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"not JSON: {error.msg}, at column {error.colno}") from None
    except (RecursionError, ValueError):
        raise ConfigurationError("JSON that goes too deep or has too long a number") from None
    if not isinstance(fields, dict):
        raise ConfigurationError("not a JSON object")
    for name in _NAMES:
        # Other fields are the file's own; but what is left out by a slip changes the job.
        near = [] if name in fields else get_close_matches(name, [*fields][:_FEW], cutoff=0.8)
        if near:
            raise ConfigurationError(f"no field {near[0]!r}; did you mean {name!r}?")
    return fields


_NAMES = ("provider", "job_id", "params")
_FEW = 20


def _id(text: str) -> Fields:
    return {"job_id": text}


def _job(fields: Fields, provider: str | None, params: Mapping[str, str]) -> Job:
    name, job_id, given = map(fields.get, _NAMES)
    if name in (None, ""):
        name = provider
    if name is None:
        raise ConfigurationError("no provider; name it on the line, or give PROVIDER for all")
    if job_id in (None, ""):
        raise ConfigurationError("no job_id")
    if given is None:
        given = {}
    if isinstance(given, Mapping):
        given = {**params, **given}
    return config.job(get_adapter(cast("str", name)), job_id, given)
