"""`HttpAdapter`: a declarative adapter, which suits nearly every vendor.

It builds the requests. Its fields are in `declaration`, and `replies` interprets the replies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from jobcancel.adapter import replies
from jobcancel.adapter.declaration import Declaration
from jobcancel.adapter.protocol import Endpoint, Request
from jobcancel.adapter.routes import (
    Param,
    Part,
    Placeholder,
    Route,
    names_in,
    parse,
    refuse,
    text,
)
from jobcancel.adapter.validation import check
from jobcancel.errors import ConfigurationError

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Reading, Response
    from jobcancel.models import Job


@frozen(kw_only=True)
class HttpAdapter(Declaration):
    """A declarative adapter. Its fields are those of `Declaration`.

    Raises:
        ConfigurationError: the declaration is invalid; the message names the field.
    """

    _templates: Mapping[str, tuple[Part, ...]] = field(init=False, repr=False, eq=False)
    _kinds: Mapping[str, set[str]] = field(init=False, repr=False, eq=False)

    @_templates.default
    def _headers_with_placeholders(self) -> dict[str, tuple[Part, ...]]:
        templates: dict[str, tuple[Part, ...]] = {}
        for name, value in self.headers.items():
            # `validation` reports an invalid template, together with all other mistakes.
            with suppress(ConfigurationError, TypeError):
                templates[name] = parse(value)
        return {name: parts for name, parts in templates.items() if names_in(parts)}

    @_kinds.default
    def _kinds_of_placeholders(self) -> dict[str, set[str]]:
        kinds: dict[str, set[str]] = {}
        for route in (self.cancel, self.status):
            for placeholder in route.placeholders() if isinstance(route, Route) else ():
                kinds.setdefault(placeholder.name, set()).add(placeholder.kind)
        for parts in self._templates.values():
            for part in parts:
                if isinstance(part, Placeholder):
                    kinds.setdefault(part.name, set()).update({part.kind, "header"})
        return kinds

    def __attrs_post_init__(self) -> None:
        check(self)

    # Requests

    def refuse(self, job: Job) -> str | None:
        """Return why the job's id or parameters are invalid, or None if they are valid."""
        if (forced := self._forced(job)) not in {None, "yes", "no"}:
            return f"the param {self.force_param!r} is {forced!r}; it must be 'yes' or 'no'"
        for name, value in job.params.items():
            if (problem := refuse(f"param {name!r}", value, self._kinds.get(name, ()))) is not None:
                return problem
            if isinstance(param := self.params.get(name), Param) and not param.accepts(value):
                return f"the param {name!r} is {value[:50]!r}; it must be {param.description}"
        job_id = job.job_id.removeprefix(self.id_prefix)
        problem = refuse("job id", job_id, self._kinds.get("id", ()))
        if problem is None and self.id_pattern and not re.fullmatch(self.id_pattern, job_id):
            return (
                f"the job id does not match the vendor's format, {self.id_pattern}; pass the id "
                "that the vendor returned"
            )
        return problem

    def _values(self, job: Job) -> dict[str, str]:
        return {**job.params, "id": job.job_id.removeprefix(self.id_prefix)}

    def must_read_first(self, job: Job) -> bool:
        """Return whether a status read must show the job running before the cancel is sent."""
        return self.destroys_finished and self._forced(job) != "yes"

    def _forced(self, job: Job) -> str | None:
        return None if self.force_param is None else job.params.get(self.force_param)

    def cancel_request(self, job: Job, endpoint: Endpoint, idempotency_key: str) -> Request:
        """Return the request that cancels the job."""
        request = self._request(self.cancel, job, endpoint)
        if self.idempotency_header is None:
            return request
        headers = {**request.headers, self.idempotency_header: idempotency_key}
        return evolve(request, headers=headers)

    def status_request(self, job: Job, endpoint: Endpoint) -> Request | None:
        """Return the request for the job's status, or None if the vendor has no such endpoint."""
        return None if self.status is None else self._request(self.status, job, endpoint)

    def _request(self, route: Route, job: Job, endpoint: Endpoint) -> Request:
        values = self._values(job)
        content = route.content(values)
        headers = self.headers if not self._templates else self._filled(values)
        content_type = {} if content is None else {"content-type": "application/json"}
        return Request(
            method=route.method,
            url=endpoint.base_url + route.target(values),
            headers={**headers, **content_type},
            content=content,
            credential=self.credential,
            key=self.credential.hide(endpoint.key),
        )

    def _filled(self, values: Mapping[str, str]) -> dict[str, str]:
        return {
            name: text(self._templates[name], values) if name in self._templates else fixed
            for name, fixed in self.headers.items()
            if values.keys() >= names_in(self._templates.get(name, ()))
        }

    # Replies

    def read_cancel(self, job: Job, response: Response) -> Reading:
        """Return the meaning of a reply to the cancel request."""
        return replies.read_cancel(self, job, response)

    def read_status(self, job: Job, response: Response) -> Reading:
        """Return the meaning of a reply to the status request."""
        return replies.read_status(self, job, response)
