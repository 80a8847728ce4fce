"""`HttpAdapter`: the requests that it builds, beyond those of the built-in vendors."""

from __future__ import annotations

import pytest
from attrs import evolve

from jobcancel import Adapter, HttpAdapter, Outcome, get_adapter, providers
from jobcancel.adapter import BASIC, Credential, Param, Route
from jobcancel.models import Job
from jobcancel.vendors.pulse import PULSE
from tests.hand import ENDPOINT, reply

JOB = Job("pulse", "job-1")


@pytest.mark.parametrize("name", providers())
def test_every_built_in_adapter_has_the_name_of_its_provider(name: str) -> None:
    adapter = get_adapter(name)
    assert isinstance(adapter, Adapter)
    assert name == adapter.name


def test_a_param_is_encoded_as_one_path_segment() -> None:
    adapter = evolve(
        PULSE, cancel=Route("POST", "/v2/{endpoint}/cancel/{id}"), params={"endpoint": "its id"}
    )
    job = Job("pulse", "a/b", {"endpoint": "e 1"})
    assert ("https://vendor.example/v2/e%201/cancel/a%2Fb") == adapter.cancel_request(
        job, ENDPOINT, "k"
    ).url


def test_a_param_that_cannot_be_a_path_segment_is_rejected() -> None:
    refusal = PULSE.refuse(Job("pulse", "1", {"endpoint": ".."}))
    assert "the param 'endpoint' is '..', which would change the path" in str(refusal)


def test_the_id_prefix_is_stripped_from_urls_and_comparisons() -> None:
    adapter: HttpAdapter = evolve(PULSE, id_prefix="jobs/")
    for job_id in ("1", "jobs/1"):
        job = Job("pulse", job_id)
        assert adapter.cancel_request(job, ENDPOINT, "k").url.endswith("/job/1")
        same = reply(200, {"job_id": "jobs/1", "status": "canceled"})
        assert Outcome.CANCELLED is adapter.read_cancel(job, same).outcome


def test_an_id_that_does_not_match_id_pattern_is_rejected() -> None:
    adapter: HttpAdapter = evolve(PULSE, id_pattern="[0-9]+")
    assert adapter.refuse(Job("pulse", "12")) is None
    assert "does not match the vendor's format, [0-9]+" in str(adapter.refuse(Job("pulse", "12a")))


def test_a_body_and_fixed_headers_are_sent() -> None:
    adapter: HttpAdapter = evolve(
        PULSE,
        headers={"acme-version": "7"},
        cancel=Route("POST", "/cancel", body={"run_id": "{id:int}"}),
        idempotency_header="once",
    )
    request = adapter.cancel_request(Job("pulse", "12"), ENDPOINT, "k")
    assert b'{"run_id": 12}' == request.content
    sent = {"acme-version": "7", "content-type": "application/json", "once": "k"}
    assert sent == request.headers
    assert "not a whole number" in str(adapter.refuse(JOB))


def test_a_header_whose_param_is_missing_is_omitted() -> None:
    adapter: HttpAdapter = evolve(
        PULSE,
        params={"project": Param("whose the job is", optional=True)},
        headers={"acme-version": "7", "acme-project": "project-{project}"},
    )
    given = [Job("pulse", "12"), Job("pulse", "12", {"project": "p"})]
    version = {"acme-version": "7"}
    sent = [adapter.cancel_request(job, ENDPOINT, "k").headers for job in given]
    assert [version, {**version, "acme-project": "project-p"}] == sent
    read = adapter.status_request(given[1], ENDPOINT)
    assert read is not None
    assert sent[1] == read.headers
    broken = Job("pulse", "12", {"project": "p\r\nx: y"})
    assert "contains a control character" in str(adapter.refuse(broken))


@pytest.mark.parametrize(
    ("credential", "value"),
    [
        (Credential(header="x-key", scheme=""), "a key"),
        (Credential(scheme="Key"), "Key a key"),
        (BASIC, "Basic YSBrZXk6"),
    ],
)
def test_the_credential_formats_the_key(credential: Credential, value: str) -> None:
    assert value == credential.spell("a key")


def test_basic_credentials_accept_user_and_password() -> None:
    assert "Basic dXNlcjpwYXNz" == BASIC.spell("user:pass")
