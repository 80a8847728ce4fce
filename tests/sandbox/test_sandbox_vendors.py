"""The vendors' declarations, compared with the adapters and requested by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from jobcancel import HttpAdapter, JobState, Outcome, cancel, get_adapter, status
from jobcancel.registry import BUILT_IN
from jobcancel.sandbox import CancelPolicy, Fault, Quota, Sandbox
from jobcancel.sandbox.vendors.catalog import VENDORS
from jobcancel.sandbox.vendors.declaration import KeyStatus
from tests.sandbox.conftest import NO_TLS

if TYPE_CHECKING:
    from collections.abc import Iterator

PENDING: dict[str, Any] = {"pending": 1e6}
RUNNING: dict[str, Any] = {"pending": 0.0, "running": 1e6}
ENDED: dict[str, Any] = {"pending": 0.0, "running": 0.0}
# Where only a request in the queue can be cancelled.
QUEUED_ONLY = {"higgsfield", "baseten"}

EACH = pytest.mark.parametrize("provider", sorted(VENDORS))


@pytest.fixture
def _environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def outside(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, verify=NO_TLS) as client:
        yield client


def bearer(provider: str) -> dict[str, str]:
    return {"authorization": f"Bearer {VENDORS[provider].key()}"}


def test_the_sandbox_plays_every_built_in_provider(sandbox: Sandbox) -> None:
    assert set(BUILT_IN) == set(sandbox.base_urls) == set(sandbox.api_keys)


@EACH
def test_a_declaration_has_the_environment_variables_of_its_adapter(provider: str) -> None:
    adapter, vendor = get_adapter(provider), VENDORS[provider]
    assert (adapter.key_env, adapter.url_env) == (vendor.key_env, vendor.url_env)


@EACH
def test_a_base_url_has_the_path_of_the_vendors_own(provider: str, sandbox: Sandbox) -> None:
    ending = httpx.URL(get_adapter(provider).default_url.replace("{", "").replace("}", "")).path
    assert sandbox.base_urls[provider].endswith(f"/{provider}{ending.rstrip('/')}")


@EACH
@pytest.mark.usefixtures("_environment")
def test_a_job_is_cancelled_with_the_environment_variables(provider: str, sandbox: Sandbox) -> None:
    settings = PENDING if provider in QUEUED_ONLY else RUNNING
    job_id = sandbox.submit(provider, **settings)
    result = cancel(provider, job_id, params=VENDORS[provider].params)
    assert result.outcome in {Outcome.CANCELLED, Outcome.CANCELLING}
    assert JobState.CANCELLED is sandbox.job(provider, job_id).state


@EACH
@pytest.mark.usefixtures("_environment")
def test_a_cancel_of_a_job_that_has_ended_changes_nothing(provider: str, sandbox: Sandbox) -> None:
    job_id = sandbox.submit(provider, **ENDED)
    cancel(provider, job_id, params=VENDORS[provider].params)
    assert JobState.SUCCEEDED is sandbox.job(provider, job_id).state


@EACH
@pytest.mark.parametrize("state", [each for each in JobState if each is not JobState.UNKNOWN])
def test_every_word_of_a_vendor_is_known_to_its_adapter(provider: str, state: JobState) -> None:
    adapter, vendor = get_adapter(provider), VENDORS[provider]
    assert isinstance(adapter, HttpAdapter)
    known = {*adapter.states, *(w for o in adapter.overrides for w in o.where.values()), "ended"}
    assert vendor.words.get(state, "ended") in known


@pytest.mark.parametrize("provider", sorted({*QUEUED_ONLY, "extend-parse"}))
@pytest.mark.usefixtures("_environment")
def test_a_job_runs_on_when_the_vendor_refuses_to_cancel_it(
    provider: str, sandbox: Sandbox
) -> None:
    job_id = sandbox.submit(provider, **(RUNNING if provider in QUEUED_ONLY else PENDING))
    result = cancel(provider, job_id, deadline=0.2)
    assert (Outcome.REFUSED, True) == (result.outcome, sandbox.job(provider, job_id).state.active)


def test_a_job_is_cancelling_until_it_stops(
    sandbox: Sandbox, outside: httpx.Client, clock: Any
) -> None:
    job_id = sandbox.submit("openai-batch", **RUNNING, on_cancel=CancelPolicy(after=60.0))
    path, headers = f"/openai-batch/v1/batches/{job_id}", bearer("openai-batch")
    words = [outside.post(f"{path}/cancel", headers=headers).json()["status"]]
    clock.advance(50.0)
    words.append(outside.post(f"{path}/cancel", headers=headers).json()["status"])
    words.append(outside.get(path, headers=headers).json()["status"])
    clock.advance(10.0)
    words.append(outside.get(path, headers=headers).json()["status"])
    assert ["cancelling", "cancelling", "cancelling", "cancelled"] == words


def test_a_job_can_be_submitted_with_a_given_id(sandbox: Sandbox) -> None:
    assert "batch_1" == sandbox.submit("openai-batch", job_id="batch_1")
    assert "batch_1" == sandbox.job("openai-batch", "batch_1").job_id


def test_a_finished_task_is_deleted_with_its_output(
    sandbox: Sandbox, outside: httpx.Client
) -> None:
    job_id = sandbox.submit("runway", **ENDED)
    headers = {**bearer("runway"), "x-runway-version": "2024-11-06"}
    path = f"/runway/v1/tasks/{job_id}"
    replies = [outside.request(verb, path, headers=headers) for verb in ("GET", "DELETE", "GET")]
    assert [200, 204, 404] == [reply.status_code for reply in replies]


def test_a_cancelled_task_cannot_be_found(sandbox: Sandbox, outside: httpx.Client) -> None:
    job_id = sandbox.submit("runway", **RUNNING)
    headers = {**bearer("runway"), "x-runway-version": "2024-11-06"}
    path = f"/runway/v1/tasks/{job_id}"
    verbs = ("GET", "DELETE", "GET", "DELETE")
    replies = [outside.request(verb, path, headers=headers) for verb in verbs]
    assert [200, 204, 404, 404] == [reply.status_code for reply in replies]
    assert JobState.CANCELLED is sandbox.job("runway", job_id).state


@pytest.mark.parametrize(
    ("content", "status_code"),
    [
        ('{"run_id": 12}', 200),
        ('{"run_id": "12"}', 400),
        ('{"run_id": true}', 400),
        ("[12]", 400),
        ("{", 400),
    ],
)
def test_an_id_in_a_body_is_a_number(
    sandbox: Sandbox, outside: httpx.Client, content: str, status_code: int
) -> None:
    sandbox.submit("databricks-run", **RUNNING, job_id="12")
    reply = outside.post(
        "/databricks-run/api/2.2/jobs/runs/cancel",
        content=content,
        headers=bearer("databricks-run"),
    )
    assert status_code == reply.status_code


def test_a_request_without_required_headers_or_fields_is_refused(
    sandbox: Sandbox, outside: httpx.Client
) -> None:
    batch, azure = sandbox.submit("anthropic-batch"), sandbox.submit("azure-openai-batch")
    keys = {vendor: VENDORS[vendor].key() for vendor in ("anthropic-batch", "azure-openai-batch")}
    replies = [
        outside.get(
            f"/anthropic-batch/v1/messages/batches/{batch}",
            headers={"x-api-key": keys["anthropic-batch"]},
        ),
        outside.get(
            f"/azure-openai-batch/openai/batches/{azure}",
            headers={"api-key": keys["azure-openai-batch"]},
        ),
    ]
    assert [400, 404] == [reply.status_code for reply in replies]


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "sandbox-fal-key", "Bearer sandbox-fal-key", "Key sandbox-openai-key"],
)
def test_a_key_needs_its_scheme(sandbox: Sandbox, outside: httpx.Client, sent: str) -> None:
    path = f"/fal/any/app/requests/{sandbox.submit('fal')}/status"
    assert 401 == outside.get(path, headers={"authorization": sent}).status_code


def test_the_scheme_is_case_insensitive(sandbox: Sandbox, outside: httpx.Client) -> None:
    path = f"/fal/any/app/requests/{sandbox.submit('fal')}/status"
    reply = outside.get(path, headers={"authorization": "key sandbox-fal-key"})
    assert (202, "IN_QUEUE") == (reply.status_code, reply.json()["status"])


def test_kinds_of_jobs_that_share_a_key_share_a_base_url(
    sandbox: Sandbox, outside: httpx.Client
) -> None:
    job_id = sandbox.submit("openai-finetune", **RUNNING)
    headers = bearer("openai-finetune")
    replies = [
        outside.get(f"/{mount}/v1/fine_tuning/jobs/{job_id}", headers=headers)
        for mount in ("openai-batch", "openai-finetune")
    ]
    assert ["running", "running"] == [reply.json()["status"] for reply in replies]


def test_a_fault_replaces_a_vendors_answer(sandbox: Sandbox, outside: httpx.Client) -> None:
    job_id = sandbox.submit("replicate", **RUNNING)
    sandbox.fault("replicate", job_id, Fault(status=503, apply=True))
    path = f"/replicate/v1/predictions/{job_id}"
    reply = outside.post(f"{path}/cancel", headers=bearer("replicate"))
    read = outside.get(path, headers=bearer("replicate"))
    assert (503, "canceled") == (reply.status_code, read.json()["status"])


def test_quotas_apply_and_some_vendors_send_retry_after(clock: Any) -> None:
    keys = {name: VENDORS[name].key() for name in ("groq-batch", "runpod")}
    paths = {"groq-batch": "/openai/v1/batches/x", "runpod": "/endpoint/status/x"}
    quotas = {key: Quota(per_second=0.5) for key in keys.values()}
    told = {}
    with Sandbox(now=clock, quotas=quotas) as sandbox, httpx.Client(verify=NO_TLS) as client:
        for name in keys:
            url = f"{sandbox.base_urls[name]}{paths[name]}"
            replies = [client.get(url, headers=bearer(name)) for _ in range(2)]
            told[name] = (replies[1].status_code, replies[1].headers.get("retry-after"))
    assert {"groq-batch": (429, "2"), "runpod": (429, None)} == told


def asked(sandbox: Sandbox, provider: str, key: str) -> dict[str, Any]:
    return {
        "api_key": key,
        "base_url": sandbox.base_urls[provider],
        "params": VENDORS[provider].params,
        "deadline": 0.5,
    }


@pytest.mark.parametrize("provider", sorted(n for n, v in VENDORS.items() if v.denied))
def test_a_limited_key_may_read_a_job_but_not_cancel_it(provider: str, sandbox: Sandbox) -> None:
    job_id = sandbox.submit(provider, **RUNNING)
    options = asked(sandbox, provider, VENDORS[provider].key(KeyStatus.LIMITED))
    assert Outcome.FORBIDDEN is cancel(provider, job_id, **options).outcome
    assert status(provider, job_id, **options).state in {JobState.PENDING, JobState.RUNNING}
    assert JobState.RUNNING is sandbox.job(provider, job_id).state


@pytest.mark.parametrize("provider", sorted(n for n, v in VENDORS.items() if not v.quota_headers))
def test_a_spent_key_is_refused_until_midnight(provider: str, sandbox: Sandbox, clock: Any) -> None:
    job_id = sandbox.submit(provider, **PENDING)
    result = cancel(
        provider, job_id, **asked(sandbox, provider, VENDORS[provider].key(KeyStatus.SPENT))
    )
    told = VENDORS[provider].tells_wait or provider == "gemini-batch"
    wait = math.ceil(86_400 - clock() % 86_400) if told else None
    assert (Outcome.RATE_LIMITED, wait) == (result.outcome, result.retry_after)


def test_a_given_id_may_have_any_form(sandbox: Sandbox) -> None:
    sandbox.submit("reducto", job_id="job-1", **RUNNING)
    options = asked(sandbox, "reducto", VENDORS["reducto"].key())
    assert Outcome.CANCELLED is cancel("reducto", "job-1", **options).outcome


def test_a_run_is_read_by_the_id_in_the_query(sandbox: Sandbox, outside: httpx.Client) -> None:
    job_id = sandbox.submit("databricks-run", **ENDED)
    path, headers = "/databricks-run/api/2.2/jobs/runs/get", bearer("databricks-run")
    replies = [
        outside.get(path, params=params, headers=headers) for params in ({"run_id": job_id}, {})
    ]
    assert (int(job_id), "SUCCESS") == (
        replies[0].json()["run_id"],
        replies[0].json()["state"]["result_state"],
    )
    assert 400 == replies[1].status_code
