"""`HttpAdapter`: an adapter declared by tables, which covers nearly every vendor.

Here is what it declares, and what is sent; how replies are read is in `replies`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from jobcancel.adapter.protocol import BEARER, Credential, Endpoint, Request
from jobcancel.adapter.replies import Replies
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
from jobcancel.errors import ConfigurationError
from jobcancel.models import Outcome

if TYPE_CHECKING:
    from jobcancel.adapter.protocol import Reading, Response
    from jobcancel.models import Job


@frozen(kw_only=True)
class HttpAdapter(Replies):
    """A vendor as a declaration; a mistake in it is found when it is made.

    Args:
        name: the provider's name, in lower case with dashes.
        title: what the vendor calls the service.
        docs: where the vendor describes cancelling.
        family: what kind of service it is, for lists of providers.
        notes: facts that a user should know, such as what stays billed.
        deprecated: what to use instead, when the provider should no longer be used.
        default_url: base URL when none is given; a param may be a part of its host.
        key_env: environment variable that holds the API key.
        other_key_envs: further ones that are looked at after it.
        url_env: environment variable that holds the base URL.
        other_url_envs: further ones that are looked at after it, each with the path at the end of
            its URL that the routes have, too, such as `{"ACME_URL": "/api/v1"}`; mostly `""`.
        shares: provider whose configured key and base URL also serve this one.
        credential: how the vendor wants the key.
        headers: further headers, such as the version of the API; with `{param}` in it, templates.
            One whose optional param is missing is left out.
        params: what a job needs besides its id: name -> what it is, or a `Param`.
        cancel: route of the cancel request.
        status: route of the status request, or None when the vendor has none.
        id_prefix: what ids may begin with or not; it is left out of the address.
        id_pattern: regular expression that every id of the vendor matches in full. Others are
            `invalid` and not sent, so it must be documented to be so for good.
        idempotency_header: header whose value makes the vendor apply a repeated request once.
        destroys_finished: whether the cancel request destroys a finished job's output; the
            status is then read first.
        force_param: an optional param that is "yes" where the cancel is to be sent all the same
            without reading first. It is sent nowhere.
        accepted: what the documented success means: `CANCELLED`, or `CANCELLING` when the job
            only ends later.
        success: what a documented success says without a state: path -> exact value.
        receipt: whether a success that names a final state only says what was asked for: it
            is an acceptance, and `verify` reads the job.
        read_after: whether a documented success is no sign that the job had not ended before, as
            where a finished job has the same reply, or may have: the job is then read once.
        empty_success: status codes of documented successes whose body is empty, or `{}`.
        untyped_success: status codes of documented successes whose body is not documented: any
            JSON, or nothing. They are accepted, and the job is read once to find out more.
        empty_errors: status codes of documented refusals whose body is empty, or `{}`. Any other
            4xx must be a JSON object with one of the fields in which the vendor puts a `message` or
            a `code`; else it is not the vendor's own, but perhaps a proxy's, and settles nothing.
        gone_after_cancel: whether a cancelled job cannot be found any more: of a job that was seen
            before, and that a cancel was sent for, a `NOT_FOUND` then means that it is cancelled.
        verdict: path of a word (or true, or false) that says what became of the cancel.
        verdicts: what each such word means, whatever the status code. After `REFUSED`, which
            says that the job runs on, its status is read.
        replies: what an error reply means, by `(status code, body code)`, body code or status
            code, the most specific first. `(422, "*")` is for any body code. What is not in the
            table is unsettled, and so is a pair that is None.
        repeatable: status codes after which the request may be sent again.
        states: the vendor's words for a job's state. A word not in it is `unknown`.
        overrides: states that a word alone does not tell, looked at before `states`.
        find_state: a pure function for what the tables cannot say of a state: of a body to a
            state, or None to go by the tables.
        find_outcome: likewise of a reply to a cancel: to an outcome, to the final state that a
            refusal gives as its reason, or None. A refusal that it finds in an error counts for a
            status read, too.
        state: path of the state word in a body, or several, the first found counts. A word of
            `verdicts` there is no state.
        job_id: likewise of the job's id; a reply about another job settles nothing.
        message: paths of the vendor's message, the first found counts.
        code: paths of the vendor's error code.
        retryable: path of the vendor's flag that an error may be tried again.
        retry_after: paths of the seconds that the vendor asks to wait, beside its headers: a
            number, or a text with one such as `"1.5s"` in it.
        request_id: paths of the vendor's request id; its header comes first.
        request_id_header: that header.
        progress: paths of how much is done, and of how much there is.

    Raises:
        ConfigurationError: the declaration cannot be right; the message names the field.
    """

    name: str
    title: str
    docs: str
    family: str = "other"
    notes: str = ""
    deprecated: str | None = None
    default_url: str
    key_env: str
    other_key_envs: tuple[str, ...] = ()
    url_env: str
    other_url_envs: Mapping[str, str] = field(factory=dict)
    shares: str | None = None
    credential: Credential = BEARER
    headers: Mapping[str, str] = field(factory=dict)
    params: Mapping[str, str | Param] = field(factory=dict)
    cancel: Route
    status: Route | None = None
    id_pattern: str | None = None
    idempotency_header: str | None = None
    destroys_finished: bool = False
    force_param: str | None = None
    _templates: Mapping[str, tuple[Part, ...]] = field(init=False, repr=False, eq=False)
    _kinds: Mapping[str, set[str]] = field(init=False, repr=False, eq=False)

    @_templates.default
    def _headers_with_placeholders(self) -> dict[str, tuple[Part, ...]]:
        found: dict[str, tuple[Part, ...]] = {}
        for name, value in self.headers.items():
            # What is no template is told by `declaration`, with all the other mistakes.
            with suppress(ConfigurationError, TypeError):
                found[name] = parse(value)
        return {name: parts for name, parts in found.items() if names_in(parts)}

    @_kinds.default
    def _kinds_of_placeholders(self) -> dict[str, set[str]]:
        kinds: dict[str, set[str]] = {}
        for route in (self.cancel, self.status):
            for place in route.placeholders() if isinstance(route, Route) else ():
                kinds.setdefault(place.name, set()).add(place.kind)
        for parts in self._templates.values():
            for part in parts:
                if isinstance(part, Placeholder):
                    kinds.setdefault(part.name, set()).update({part.kind, "header"})
        return kinds

    def __attrs_post_init__(self) -> None:
        from jobcancel.adapter.validation import check  # only where there is something to check

        check(self)

    # What to send

    def refuse(self, job: Job) -> str | None:
        """Return why the job's id or parameters cannot be sent, or None when they can."""
        if (forced := self._forced(job)) not in {None, "yes", "no"}:
            return f"the param {self.force_param!r} is {forced!r}; it must be 'yes' or 'no'"
        for name, value in job.params.items():
            if (problem := refuse(f"param {name!r}", value, self._kinds.get(name, ()))) is not None:
                return problem
            if isinstance(param := self.params.get(name), Param) and not param.takes(value):
                return f"the param {name!r} is {value[:50]!r}; it must be {param.about}"
        job_id = job.job_id.removeprefix(self.id_prefix)
        problem = refuse("job id", job_id, self._kinds.get("id", ()))
        if problem is None and self.id_pattern and not re.fullmatch(self.id_pattern, job_id):
            return f"the job id is not of the vendor's form, {self.id_pattern}; pass it as given"
        return problem

    def _values(self, job: Job) -> dict[str, str]:
        return {**job.params, "id": job.job_id.removeprefix(self.id_prefix)}

    def must_read_first(self, job: Job) -> bool:
        """Return whether the job must be seen running before the cancel may be sent."""
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
        """Return the request that reads the job, or None when the vendor has none."""
        return None if self.status is None else self._request(self.status, job, endpoint)

    def _request(self, route: Route, job: Job, endpoint: Endpoint) -> Request:
        values = self._values(job)
        content = route.content(values)
        headers = self.headers if not self._templates else self._filled(values)
        json_too = {} if content is None else {"content-type": "application/json"}
        return Request(
            method=route.method,
            url=endpoint.base_url + route.target(values),
            headers={**headers, **json_too},
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

    # What a reply means

    def read_cancel(self, job: Job, response: Response) -> Reading:
        """Return what a reply to the cancel request means."""
        reading = super().read_cancel(job, response)
        forced = self.destroys_finished and not self.must_read_first(job)
        if forced and reading.outcome is Outcome.CANCELLED and not reading.final:
            # Nobody looked before: the job may have been finished, and its output is gone.
            return evolve(reading, outcome=Outcome.CANCELLING)
        return reading
