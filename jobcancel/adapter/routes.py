"""What a request is made of: routes with placeholders, and the params that fill them.

/v1/jobs/{id}/cancel         the job's id, as exactly one path segment
/v2/batches/{id}:cancel      a custom verb after it
/v2/{endpoint}/cancel/{id}   a param beside it
/{app:path}/requests/{id}    a param of several segments, such as `fal-ai/flux`
{id:int}                     digits; in a JSON body a number
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias
from urllib.parse import quote

from attrs import field, frozen

from jobcancel.errors import ConfigurationError

KINDS = ("segment", "path", "int")

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"[0-9]{1,20}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_NAME = re.compile(r"([a-z][a-z0-9_]*)(?::([a-z]+))?")
# RFC 9110, section 4.1: recipients should support at least 8,000 octets of URI.
_LONGEST_SEGMENT = 7000
# Characters; one takes twelve octets at the most, percent-encoded from four of UTF-8.
_SURELY_SHORT = _LONGEST_SEGMENT // 12


@frozen
class Placeholder:
    """A place in a template that a value fills.

    Args:
        name: `id`, or the name of a param.
        kind: `segment`, `path` or `int`.
    """

    name: str
    kind: str = "segment"


Part: TypeAlias = str | Placeholder


def parse(template: str) -> tuple[Part, ...]:
    """Return the text and the placeholders that a template consists of.

    Raises:
        ConfigurationError: a placeholder is not one, or a brace has no partner.

    Example:
        >>> parse("/job/{id}")
        ('/job/', Placeholder(name='id', kind='segment'))
    """
    parts: list[Part] = []
    for number, text in enumerate(_PLACEHOLDER.split(template)):
        if number % 2 == 0:
            if "{" in text or "}" in text:
                raise ConfigurationError(f"{template!r} has a brace without its partner")
            parts += [text] if text else []
            continue
        found = _NAME.fullmatch(text)
        kind = (found[2] or "segment") if found else ""
        if found is None or kind not in KINDS:
            raise ConfigurationError(
                f"{{{text}}} in {template!r} is no placeholder; write {{id}}, {{param}}, "
                "{param:path} or {id:int}"
            )
        parts.append(Placeholder(found[1], kind))
    return tuple(parts)


@frozen
class Param:
    """Something that a vendor needs besides the id to find a job.

    Args:
        description: what it is, for messages and documentation.
        default: what it is when it is not given.
        env: environment variable that holds it where it is not given; it comes before `default`.
        pattern: regular expression that it matches in full; others are `invalid`.
        optional: whether it may be left out; the query field or header that it fills is left out
            then.
        hosts: for one that is the end of the vendor's host: the hosts that are the vendor's, such
            as `"*.cloud.databricks.com"`. Only these may be named by a job.
    """

    description: str
    default: str | None = None
    optional: bool = False
    pattern: str | None = None
    env: str | None = None
    hosts: tuple[str, ...] = ()

    def fallback(self) -> str | None:
        """Return the value for a job that does not set it: the variable's, else the default."""
        value = os.environ.get(self.env, "").strip() if self.env else ""
        return value or self.default

    def accepts(self, value: str) -> bool:
        """Return whether a value is of the form that it must have."""
        return self.pattern is None or re.fullmatch(self.pattern, value) is not None


def declared(params: Mapping[str, str | Param]) -> dict[str, Param]:
    """Return an adapter's params, of which some may be declared by their text alone."""
    return {
        name: Param(param) if isinstance(param, str) else param for name, param in params.items()
    }


def variables(params: Mapping[str, str | Param]) -> list[str]:
    """Return the environment variables that an adapter's params may come from.

    Example:
        >>> variables({"queue": "the queue", "project": Param("the project", env="ACME_PROJECT")})
        ['ACME_PROJECT']
    """
    return [param.env for param in declared(params).values() if param.env]


@frozen
class Route:
    """Method and address of a request, such as `Route("DELETE", "/job/{id}")`.

    Args:
        method: in capitals.
        path: template of the path.
        query: template of each field of the query string.
        body: what is sent as JSON: templates by field, an empty mapping for `{}`, or None for
            no body at all.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict)
    body: Mapping[str, str] | None = None
    _path: tuple[Part, ...] = field(init=False, repr=False, eq=False)
    _fields: Mapping[str, tuple[Part, ...]] = field(init=False, repr=False, eq=False)
    _body: Mapping[str, tuple[Part, ...]] = field(init=False, repr=False, eq=False)

    @_path.default
    def _parse_path(self) -> tuple[Part, ...]:
        return parse(self.path)

    @_fields.default
    def _parse_query(self) -> dict[str, tuple[Part, ...]]:
        return {name: parse(template) for name, template in self.query.items()}

    @_body.default
    def _parse_body(self) -> dict[str, tuple[Part, ...]]:
        return {name: parse(template) for name, template in (self.body or {}).items()}

    def placeholders(self) -> Iterator[Placeholder]:
        """Give every placeholder, of path, query and body."""
        for parts in (self._path, *self._fields.values(), *self._body.values()):
            yield from (part for part in parts if isinstance(part, Placeholder))

    def target(self, values: Mapping[str, str]) -> str:
        """Return path and query with the values filled in, each percent-encoded."""
        path = fill(self._path, values)
        if not self.query:
            return path
        query = "&".join(
            f"{quote(name, safe='')}={quote(text(parts, values), safe='')}"
            for name, parts in self._fields.items()
            if values.keys() >= names_in(parts)
        )
        return f"{path}?{query}" if query else path

    def content(self, values: Mapping[str, str]) -> bytes | None:
        """Return the body with the values filled in, or None when there is none."""
        if self.body is None:
            return None
        filled: dict[str, str | int] = {}
        for name, parts in self._body.items():
            value = text(parts, values)
            number = any(isinstance(part, Placeholder) and part.kind == "int" for part in parts)
            filled[name] = int(value) if number else value
        return json.dumps(filled).encode()


def fill(parts: Iterable[Part], values: Mapping[str, str]) -> str:
    """Return the path that a template makes of the values."""
    return "".join(part if isinstance(part, str) else _filled(part, values) for part in parts)


def names_in(parts: Iterable[Part]) -> set[str]:
    """Return the names of the placeholders in a template."""
    return {part.name for part in parts if isinstance(part, Placeholder)}


def text(parts: Iterable[Part], values: Mapping[str, str]) -> str:
    """Return the text that a template makes of the values, as they are."""
    return "".join(part if isinstance(part, str) else values[part.name] for part in parts)


def _filled(place: Placeholder, values: Mapping[str, str]) -> str:
    value = values[place.name]
    if place.kind == "path":
        return "/".join(map(segment, value.split("/")))
    return segment(value)


def refuse(what: str, value: str, kinds: Iterable[str]) -> str | None:
    """Return why a value cannot fill placeholders of these kinds, or None when it can.

    Args:
        what: what it is, for the message, such as `"job id"`.
        value: any string.
        kinds: of the placeholders; "header" for those in one.

    Example:
        >>> refuse("param 'app'", "fal-ai/flux", ["path"])
        >>> refuse("job id", "12a", ["int"])
        "the job id is '12a', which is not a whole number; pass the id that the vendor gave"
    """
    if "int" in kinds and not _NUMBER.fullmatch(value):
        problem = f"is {value[:50]!r}, which is not a whole number"
        return f"the {what} {problem}; pass the id that the vendor gave"
    pieces = value.split("/") if "path" in kinds else [value]
    refused = next(filter(None, (refuse_segment(what, piece) for piece in pieces)), None)
    if refused is None and "header" in kinds and not _VISIBLE.fullmatch(value):
        return f"the {what} has characters that no header can have; pass what the vendor gave"
    return refused


def segment(value: str) -> str:
    """Return `value` percent-encoded into exactly one path segment (RFC 3986, section 3.3).

    Example:
        >>> segment("a b/ü")
        'a%20b%2F%C3%BC'
    """
    return quote(value, safe="")


def refuse_segment(what: str, value: str) -> str | None:
    """Return why `value` cannot be one path segment, or None when it can.

    Args:
        what: what it is, for the message, such as `"job id"`.
        value: any string.

    Example:
        >>> refuse_segment("job id", "..")
        "the job id is '..', which would change the path; pass the id that the vendor gave"
    """
    if not value.strip():
        problem = "is empty" if not value else "is blank"
    elif value in {".", ".."}:
        problem = f"is {value!r}, which would change the path"
    elif not value.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        problem = "has a control character or a lone surrogate in it"
    elif len(value) > _SURELY_SHORT and len(segment(value)) > _LONGEST_SEGMENT:
        problem = f"is too long for a URL ({len(value)} characters)"
    else:
        return None
    return f"the {what} {problem}; pass the id that the vendor gave"
