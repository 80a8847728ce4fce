"""Parses the file of `--from`: NDJSON, CSV or plain ids.

It reads one line at a time, so a file may be of any length and a pipe may stay open for hours.
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, cast

from attrs import define, field, frozen

from jobcancel import (
    BrokenAdapter,
    ConfigurationError,
    Job,
    UnknownProvider,
    config,
    get_adapter,
)
from jobcancel.errors import JobCancelError

if TYPE_CHECKING:
    from jobcancel import Adapter

_LONGEST_LINE = 1 << 20
"""Bytes. A longer line is no job; a file without line breaks must not fill the memory."""
_DELIMITERS = ",;\t"
"""Of CSV, of CSV where the comma is the decimal separator, and of TSV."""
_NAMES = ("provider", "job_id", "params")

Fields: TypeAlias = Mapping[str, object]
"""The values of a line: `provider`, `job_id` and `params`, each of which may be missing."""


@frozen
class Malformed:
    """A line that is no job.

    Args:
        line: its number, from 1.
        problem: what is wrong with it.
    """

    line: int
    problem: str


@define
class Source:
    """Reads jobs from files of one kind.

    Args:
        provider: the provider of lines that name none.
        params: the params of lines that do not have them.
        columns: our name (`provider`, `job_id` or a param) -> the file's, where they differ.

    Attributes:
        line: the number of the last line read.
        used: the CSV columns that a job needed.
        unknown: the CSV columns with a value that its line's provider does not take.
    """

    provider: str | None = None
    params: Mapping[str, str] = field(factory=dict)
    columns: Mapping[str, str] = field(factory=dict)
    line: int = field(init=False, default=0)
    used: set[str] = field(init=False, factory=set)
    unknown: set[str] = field(init=False, factory=set)
    _broken: dict[str, BrokenAdapter] = field(init=False, factory=dict)

    def read(self, file: BinaryIO) -> Iterator[Job | Malformed]:
        """Read jobs; the first line that is not blank determines the format.

        Raises:
            ConfigurationError: these are plain ids and there is no `provider`, or this is CSV
                without ids.
        """
        parse: Callable[[str], Fields] | None = None
        for line in lines(file.readline, longest=_LONGEST_LINE):
            self.line = line.number
            if parse is None:
                parse, is_header = self._format(line.start)
                if is_header:
                    continue
            try:
                found: Job | Malformed = self._job(parse(line.text()))
            except UnknownProvider as error:
                # Without the long list of known providers.
                found = Malformed(line.number, str(error).partition(" Known: ")[0])
            except JobCancelError as error:
                found = Malformed(line.number, str(error))
            yield found

    def _format(self, first: bytes) -> tuple[Callable[[str], Fields], bool]:
        """Return the parser of a line, and whether the first line is a header."""
        if first.lstrip().startswith(b"{"):
            return self._object, False
        tables = {delimiter: _columns(first, delimiter) for delimiter in _DELIMITERS}
        wanted = self.columns.get("job_id", "job_id")
        for delimiter, columns in tables.items():
            if wanted in columns:
                self._check_columns(columns)
                return partial(self._row, self._renamed(columns), delimiter), True
        shown = first[:_SHOWN].decode(errors="replace")
        if self.columns or any(len(columns) > 1 for columns in tables.values()):
            raise ConfigurationError(
                f"the first line has no column {wanted!r}: {shown!r}; name the column of the job "
                "IDs with --column job_id=NAME"
            )
        if self.provider is None:
            raise ConfigurationError(
                f"the first line, {shown!r}, looks like a plain job ID (no NDJSON, no 'job_id' CSV "
                "header); pass PROVIDER, or fix the header"
            )
        return _id, False

    def _check_columns(self, columns: list[str]) -> None:
        for name, column in self.columns.items():
            if column not in columns:
                raise ConfigurationError(
                    f"--column {name}={column}: the file has no column {column!r}, only "
                    f"{', '.join(columns)}"
                )

    def _renamed(self, columns: list[str]) -> list[str]:
        """Return the columns by our names; a column that --column replaces has no name."""
        ours = {column: name for name, column in self.columns.items()}
        return [ours.get(each, "" if each in self.columns else each) for each in columns]

    def _row(self, columns: list[str], delimiter: str, text: str) -> Fields:
        cells = _cells(text, delimiter)
        if len(cells) != len(columns):
            found = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            raise ConfigurationError(f"{found} where the header has {len(columns)}")
        row = {name: cell for name, cell in zip(columns, cells, strict=True) if name and cell}
        adapter = self._adapter(row.get("provider"))
        ours = {"provider", "job_id", *adapter.params}
        if len(set(columns)) != len(columns):
            twice = sorted(name for name in ours if columns.count(name) > 1)
            if twice:
                raise ConfigurationError(f"the header names a column twice: {', '.join(twice)}")
        others = row.keys() - ours
        self.used |= row.keys() & ours
        self.unknown |= others
        for name in adapter.params:
            # Other columns are ignored, but a misspelled param would make it another job.
            near = [] if name in columns else get_close_matches(name, others, n=1, cutoff=0.8)
            if near:
                raise ConfigurationError(_slip("column", near[0], name))
        params = {name: cell for name, cell in row.items() if name in adapter.params}
        return {**{name: row.get(name) for name in _NAMES[:2]}, "params": params}

    def _object(self, text: str) -> Fields:
        try:
            fields = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigurationError(f"not JSON: {error.msg}, at column {error.colno}") from None
        except (RecursionError, ValueError):
            raise ConfigurationError("JSON with too deep nesting or too long a number") from None
        if not isinstance(fields, dict):
            raise ConfigurationError("not a JSON object")
        found = {name: fields.get(self.columns.get(name, name)) for name in _NAMES}
        for name in _NAMES:
            # A misspelled field is an error, as for columns.
            if name not in fields and name not in self.columns:
                _check_near(name, tuple(fields)[:_FEW])
        more = {
            name: fields[column]
            for name, column in self.columns.items()
            if name not in _NAMES and column in fields
        }
        if more and isinstance(params := found["params"] or {}, Mapping):
            found["params"] = {**params, **more}
        return found

    def _job(self, fields: Fields) -> Job:
        name, job_id, given = map(fields.get, _NAMES)
        adapter = self._adapter(name)
        if job_id in (None, ""):
            raise ConfigurationError(f"no value for {self.columns.get('job_id', 'job_id')!r}")
        if given is None:
            given = {}
        if isinstance(given, Mapping):
            given = {**self.params, **given}
        return config.job(adapter, job_id, given)

    def _adapter(self, name: object) -> Adapter:
        """Return the adapter of a line's provider, or of the default provider."""
        if name in (None, ""):
            name = self.provider
        if name is None:
            raise ConfigurationError("no provider; name it on the line, or pass PROVIDER for all")
        if isinstance(name, str) and name in self._broken:
            raise self._broken[name]
        try:
            return get_adapter(cast("str", name))
        except BrokenAdapter as error:
            # Otherwise its import would be tried again for each line.
            self._broken[cast("str", name)] = error
            raise


_SHOWN = 100
"""Characters of a line in a message."""
_FEW = 20
"""Fields that are searched for a misspelled one."""


def _slip(kind: str, found: str, wanted: str) -> str:
    return f"no {kind} {found!r}; did you mean {wanted!r}?"


@lru_cache(maxsize=256)
def _near(name: str, fields: tuple[str, ...]) -> str | None:
    return next(iter(get_close_matches(name, fields, n=1, cutoff=0.8)), None)


def _check_near(name: str, fields: tuple[str, ...]) -> None:
    if (near := _near(name, fields)) is not None:
        raise ConfigurationError(_slip("field", near, name))


def _id(text: str) -> Fields:
    return {"job_id": text.strip()}


@frozen
class Line:
    """A line that is not blank.

    Args:
        number: its number, from 1.
        start: its first bytes; all of it unless it is cut.
        is_cut: whether it is longer than `start`.
    """

    number: int
    start: bytes
    is_cut: bool

    def text(self) -> str:
        """Return the whole line.

        Raises:
            ConfigurationError: it is too long, or not UTF-8.
        """
        if self.is_cut:
            raise ConfigurationError(f"longer than {_LONGEST_LINE:,} bytes")
        try:
            return self.start.decode()
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"not UTF-8: {error.reason}") from None


def lines(readline: Callable[[int], bytes], *, longest: int) -> Iterator[Line]:
    """Read the lines of a file that are not blank.

    Args:
        readline: the method of a binary file.
        longest: bytes of a line that are kept; the rest is dropped.
    """
    number = 0
    while raw := readline(longest):
        number, part = number + 1, raw
        while len(part) == longest and not part.endswith(b"\n"):
            part = readline(longest)
        is_cut = part is not raw
        start = raw.removeprefix(codecs.BOM_UTF8 if number == 1 else b"")
        if is_cut or (start and not start.isspace()):
            # Keep tabs: the last cells of a line of TSV may be empty.
            yield Line(number, start.strip(b" \r\n"), is_cut)


def _columns(raw: bytes, delimiter: str) -> list[str]:
    try:
        return _cells(raw.decode(errors="replace"), delimiter)
    except ConfigurationError:
        return []


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        # One line: an unclosed quote must not include the lines after it.
        cells = next(csv.reader([text], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error as error:
        raise ConfigurationError(f"not CSV: {error}") from None
    return [cell.strip() for cell in cells]
