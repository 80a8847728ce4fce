"""Routes with placeholders, and the params that fill them.

/v1/jobs/{id}/cancel         the job's id, as exactly one path segment
/v2/batches/{id}:cancel      the id, followed by a custom verb
/v2/{endpoint}/cancel/{id}   a param and the id
/{app:path}/requests/{id}    a param with several segments, such as `fal-ai/flux`
{id:int}                     digits; a number in a JSON body
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
# Characters; each takes at most twelve octets (four octets of UTF-8, percent-encoded).
_ALWAYS_SHORT = _LONGEST_SEGMENT // 12


@frozen
class Placeholder:
    """A placeholder in a template.

    Args:
        name: `id`, or the name of a param.
        kind: `segment`, `path` or `int`.
    """

    name: str
    kind: str = "segment"


Part: TypeAlias = str | Placeholder


def parse(template: str) -> tuple[Part, ...]:
    """Split a template into text and placeholders.

    Raises:
        ConfigurationError: a placeholder is malformed, or a brace is unmatched.

    Example:
        >>> parse("/job/{id}")
        ('/job/', Placeholder(name='id', kind='segment'))
    """
    parts: list[Part] = []
    for number, text in enumerate(_PLACEHOLDER.split(template)):
        if number % 2 == 0:
            if "{" in text or "}" in text:
                raise ConfigurationError(f"{template!r} has an unmatched brace")
            parts += [text] if text else []
            continue
        match = _NAME.fullmatch(text)
        kind = (match[2] or "segment") if match else ""
        if match is None or kind not in KINDS:
            raise ConfigurationError(
                f"{{{text}}} in {template!r} is not a placeholder; write {{id}}, {{param}}, "
                "{param:path} or {id:int}"
            )
        parts.append(Placeholder(match[1], kind))
    return tuple(parts)


@frozen
class Param:
    """A parameter that identifies a job in addition to its id.

    Args:
        description: a description, for messages and documentation.
        default: the value of a job that does not set it.
        env: environment variable for the value of such a job; it takes precedence over `default`.
        pattern: regular expression that a value must match in full; other values are `invalid`.
        optional: whether a job may omit it. Its query field or header is then not sent.
        hosts: for a param at the end of the host: the hosts that belong to the vendor, such as
            `"*.cloud.databricks.com"`. A job may name only these.
    """

    description: str
    default: str | None = None
    optional: bool = False
    pattern: str | None = None
    env: str | None = None
    hosts: tuple[str, ...] = ()

    def fallback(self) -> str | None:
        """Return the value for a job that does not set it: from the variable, else the default."""
        value = os.environ.get(self.env, "").strip() if self.env else ""
        return value or self.default

    def accepts(self, value: str) -> bool:
        """Return whether a value matches the pattern."""
        return self.pattern is None or re.fullmatch(self.pattern, value) is not None


def declared(params: Mapping[str, str | Param]) -> dict[str, Param]:
    """Return an adapter's params, with each plain description as a `Param`."""
    return {
        name: Param(param) if isinstance(param, str) else param for name, param in params.items()
    }


def variables(params: Mapping[str, str | Param]) -> list[str]:
    """Return the environment variables of an adapter's params.

    Example:
        >>> variables({"queue": "the queue", "project": Param("the project", env="ACME_PROJECT")})
        ['ACME_PROJECT']
    """
    return [param.env for param in declared(params).values() if param.env]


@frozen
class Route:
    """Method and address of a request, such as `Route("DELETE", "/job/{id}")`.

    Args:
        method: the HTTP method, in upper case.
        path: template of the path.
        query: template of each field of the query string.
        body: the JSON body: template of each field, an empty mapping for `{}`, or None to send
            no body.
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
        """Yield every placeholder in path, query and body."""
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
        """Return the body with the values filled in, or None if the route has no body."""
        if self.body is None:
            return None
        filled: dict[str, str | int] = {}
        for name, parts in self._body.items():
            value = text(parts, values)
            number = any(isinstance(part, Placeholder) and part.kind == "int" for part in parts)
            filled[name] = int(value) if number else value
        return json.dumps(filled).encode()


def fill(parts: Iterable[Part], values: Mapping[str, str]) -> str:
    """Return the path with the values filled in, each percent-encoded."""
    return "".join(part if isinstance(part, str) else _filled(part, values) for part in parts)


def names_in(parts: Iterable[Part]) -> set[str]:
    """Return the names of the placeholders in a template."""
    return {part.name for part in parts if isinstance(part, Placeholder)}


def text(parts: Iterable[Part], values: Mapping[str, str]) -> str:
    """Return the text with the values filled in, unencoded."""
    return "".join(part if isinstance(part, str) else values[part.name] for part in parts)


def _filled(placeholder: Placeholder, values: Mapping[str, str]) -> str:
    value = values[placeholder.name]
    if placeholder.kind == "path":
        return "/".join(map(segment, value.split("/")))
    return segment(value)


def refuse(what: str, value: str, kinds: Iterable[str]) -> str | None:
    """Return why a value is invalid for placeholders of these kinds, or None if it is valid.

    Args:
        what: the name of the value, for the message, such as `"job id"`.
        value: any string.
        kinds: the kinds of the placeholders; "header" if one is in a header.

    Example:
        >>> refuse("param 'app'", "fal-ai/flux", ["path"])
        >>> refuse("job id", "12a", ["int"])
        "the job id is '12a', which is not a whole number; pass the id that the vendor returned"
    """
    if "int" in kinds and not _NUMBER.fullmatch(value):
        problem = f"is {value[:50]!r}, which is not a whole number"
        return f"the {what} {problem}; pass the id that the vendor returned"
    pieces = value.split("/") if "path" in kinds else [value]
    refused = next(filter(None, (refuse_segment(what, piece) for piece in pieces)), None)
    if refused is None and "header" in kinds and not _VISIBLE.fullmatch(value):
        return (
            f"the {what} contains characters that are not allowed in a header; use visible ASCII "
            "characters only"
        )
    return refused


def segment(value: str) -> str:
    """Return `value` percent-encoded into exactly one path segment (RFC 3986, section 3.3).

    Example:
        >>> segment("a b/ü")
        'a%20b%2F%C3%BC'
    """
    return quote(value, safe="")


def refuse_segment(what: str, value: str) -> str | None:
    """Return why `value` is invalid as one path segment, or None if it is valid.

    Args:
        what: the name of the value, for the message, such as `"job id"`.
        value: any string.

    Example:
        >>> refuse_segment("job id", "..")
        "the job id is '..', which would change the path; pass the id that the vendor returned"
    """
    if not value.strip():
        problem = "is empty" if not value else "is blank"
    elif value in {".", ".."}:
        problem = f"is {value!r}, which would change the path"
    elif not value.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        problem = "contains a control character or a lone surrogate"
    elif len(value) > _ALWAYS_SHORT and len(segment(value)) > _LONGEST_SEGMENT:
        problem = f"is too long for a URL ({len(value)} characters)"
    else:
        return None
    return f"the {what} {problem}; pass the id that the vendor returned"
