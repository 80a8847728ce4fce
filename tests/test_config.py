"""Configuration: keys, URLs, times and params; invalid input raises before anything is sent."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from attrs import evolve

from jobcancel import (
    AsyncCanceller,
    Canceller,
    ConfigurationError,
    HttpAdapter,
    Job,
    JobCancelError,
    MissingCredential,
    Outcome,
    cancel,
    config,
    status,
)
from jobcancel.adapter import Param, Route
from jobcancel.config import as_secret
from jobcancel.vendors.pulse import PULSE, PULSE_LEGACY
from jobcancel.vendors.talonic import TALONIC

if TYPE_CHECKING:
    from jobcancel.adapter import Endpoint

KEY = "sk-very-secret-key"


def find(adapter: Any = PULSE, **given: Any) -> Any:
    settings = {
        "api_keys": {},
        "base_urls": {},
        "api_key": KEY,
        "base_url": None,
        "allow_http": False,
        **given,
    }
    settings["api_key"] = config.as_secret(settings["api_key"])
    settings["api_keys"] = config.as_secrets(settings["api_keys"])
    return config.endpoint(adapter, **settings)


# Where the key and the URL come from


def test_the_argument_takes_precedence_over_client_and_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULSE_API_KEY", "from the environment")
    monkeypatch.setenv("PULSE_BASE_URL", "https://environment.example")
    client = {
        "api_keys": {"pulse": "from the client"},
        "base_urls": {"pulse": "https://client.example"},
    }
    argument = find(**client, api_key="argument", base_url="https://argument.example")
    assert ("argument", "https://argument.example") == (argument.key.reveal(), argument.base_url)
    mapped = find(**client, api_key=None)
    assert ("from the client", "https://client.example") == (mapped.key.reveal(), mapped.base_url)
    read = find(api_key=None)
    assert ("from the environment", "https://environment.example") == (
        read.key.reveal(),
        read.base_url,
    )


def test_the_default_url_is_the_vendors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALONIC_BASE_URL", " ")
    assert "https://api.talonic.com" == find(TALONIC).base_url


def test_pulse_legacy_shares_the_configuration_of_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = find(
        PULSE_LEGACY,
        api_key=None,
        api_keys={"pulse": "key"},
        base_urls={"pulse": "https://pulse.example"},
    )
    assert ("key", "https://pulse.example") == (shared.key.reveal(), shared.base_url)
    monkeypatch.setenv("PULSE_API_KEY", "other")
    assert "other" == find(PULSE_LEGACY, api_key=None).key.reveal()


def test_white_space_around_a_key_is_stripped() -> None:
    assert "key" == find(api_key=" key\n").key.reveal()


@pytest.mark.parametrize("given", [{"api_key": None}, {"api_key": ""}, {"api_key": " \n"}])
def test_a_missing_key_names_the_environment_variable(given: dict[str, Any]) -> None:
    with pytest.raises(MissingCredential) as caught:
        find(**given)
    assert "no API key for 'pulse': pass api_key= or set PULSE_API_KEY" == str(caught.value)


@pytest.mark.parametrize("key", ["sk-very\nsecret", "sk-very\rsecret", "sk\x00", "sk-vérý", "a\tb"])
def test_a_key_that_is_invalid_in_a_header_is_rejected(key: str) -> None:
    with pytest.raises(ConfigurationError, match="contains a line break, another control"):
        find(api_key=key)


@pytest.mark.parametrize("url", ["http://localhost:8000", "http://127.0.0.2/x", "http://[::1]:80"])
def test_plain_http_is_allowed_to_loopback(url: str) -> None:
    assert url == find(base_url=url).base_url


def test_plain_http_elsewhere_requires_allow_http() -> None:
    url = "http://vendor.example"
    with pytest.raises(ConfigurationError, match=r"plain http to vendor\.example.*allow_http=True"):
        find(base_url=url)
    assert url == find(base_url=url, allow_http=True).base_url


def test_a_base_url_may_have_a_path_prefix() -> None:
    assert "https://gw.example/a/b" == find(base_url="https://gw.example/a/b/").base_url


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "is not an http or https URL: ''"),
        ("api.runpulse.com", "is not an http or https URL"),
        ("ftp://vendor.example", "is not an http or https URL"),
        ("https://vendor.example/a b", "is not an http or https URL"),
        ("https://vendor.example/\n", "is not an http or https URL"),
        ("https://", "has no valid host or port"),
        ("https://vendor..example", "has no valid host or port"),
        ("https://-vendor.example", "has no valid host or port"),
        ("https://999.1.1.1", "has no valid host or port"),
        ("https://[v1.abc]", "has no valid host or port"),
        ("https://vendor.example/" + "x" * 2000, "is longer than 2,000 characters"),
        ("https://vendör.example", "has no valid host or port"),
        ("https://vendor.example:0", "has no valid host or port"),
        ("https://vendor.example:port", "is malformed"),
        ("https://[::1", "is malformed"),
        ("https://user:word@vendor.example", "must not contain a user name or password"),
        ("https://vendor.example?a=b", "must not have a query or fragment"),
        ("https://vendor.example/#", "must not have a query or fragment"),
    ],
)
def test_a_malformed_base_url_is_a_configuration_error(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find(base_url=url)
    assert f"the base URL for 'pulse' {problem}" in str(caught.value)
    assert "expected something like https://api.runpulse.com" in str(caught.value)


# Invalid arguments of the public calls


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"job_id": 7}, "job_id must be a string, not 7"),
        ({"job_id": None}, "job_id must be a string, not None"),
        ({"job_id": b"x"}, "job_id must be a string, not b'x'"),
        ({"params": "x"}, "params must map strings to strings, not 'x'"),
        ({"params": {"a": 1}}, "params must map strings to strings"),
        ({"api_key": 7}, "an API key must be a string, not int"),
        ({"base_url": 7}, "base_url must be a string, not 7"),
        ({"timeout": "10"}, "timeout must be a number of seconds, not '10'"),
        ({"deadline": True}, "deadline must be a number of seconds, not True"),
        ({"verify": "yes"}, "verify must be True or False, not 'yes'"),
    ],
)
def test_an_argument_of_the_wrong_type_is_also_a_type_error(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        cancel("pulse", **{"job_id": "1", "api_key": KEY, **arguments})
    assert isinstance(caught.value, ConfigurationError)
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["timeout", "deadline"])
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 10**400])
def test_a_time_must_be_positive_and_finite(name: str, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=f"{name} must be more than 0 and at most"):
        cancel("pulse", "1", api_key=KEY, **{name: seconds})  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=name):
        Canceller(**{name: seconds})  # type: ignore[arg-type]


def test_a_missing_param_is_reported_with_its_description() -> None:
    adapter = evolve(
        PULSE, cancel=Route("DELETE", "/{endpoint}/{id}"), params={"endpoint": "the endpoint's id"}
    )
    with pytest.raises(ConfigurationError, match=r"needs the param 'endpoint': the endpoint's id"):
        config.job(adapter, "1", None)
    assert {"endpoint": "e"} == config.job(adapter, "1", {"endpoint": "e"}).params


def test_an_unknown_param_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match="'pulse' has no param 'endpoint'; it has none"):
        cancel("pulse", "1", params={"endpoint": "e"}, api_key=KEY)


def test_api_keys_must_be_a_mapping() -> None:
    with pytest.raises(TypeError, match="api_keys must map providers to keys"):
        Canceller(api_keys=KEY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "call",
    [
        lambda: cancel("pulse", 7, api_key=KEY),  # type: ignore[arg-type]
        lambda: status("pulse", "1", api_key=KEY, timeout=-1),
        lambda: cancel("pulse", "1", api_key=KEY + "\nmore"),
        lambda: cancel("plse", "1", api_key=KEY),
        lambda: cancel("pulse", "1", api_key=KEY.encode()),  # type: ignore[arg-type]
        lambda: status("pulse", "1", api_key=[KEY]),  # type: ignore[arg-type]
        lambda: Canceller(api_keys=[("pulse", KEY)]),  # type: ignore[arg-type]
        lambda: Canceller(api_keys={"pulse": KEY, "talonic": 7}),  # type: ignore[dict-item]
        lambda: cancel("pulse", "1", api_key=KEY, base_url="http://vendor.example"),
        lambda: Canceller(api_keys={"pulse": KEY}, timeout=-1),
        lambda: Canceller(api_keys={"pulse": KEY + "\nmore"}).cancel("pulse", "1"),
    ],
)
def test_no_error_shows_the_key_in_its_local_variables(call: Any) -> None:
    with pytest.raises(JobCancelError) as caught:
        call()
    ours = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    shown = [f"{frame.locals}" for frame in ours.stack if "/jobcancel/" in frame.filename]
    assert shown != []
    assert not any(KEY in text for text in [*shown, str(caught.value)])


def test_a_connection_error_does_not_show_the_key_in_local_variables() -> None:
    frames: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        stack = traceback.StackSummary.extract(
            traceback.walk_stack(None), capture_locals=True, lookup_lines=False
        )
        frames.extend(f"{frame.locals}" for frame in stack if "/jobcancel/" in frame.filename)
        raise httpx.ConnectError("refused", request=request)

    http_client = httpx.Client(transport=httpx.MockTransport(refuse))
    with Canceller(api_keys={"pulse": KEY}, http_client=http_client, deadline=0.01) as canceller:
        assert Outcome.UNKNOWN is canceller.cancel("pulse", "1").outcome
    assert frames != []
    assert not any(KEY in text for text in frames)


# Params


PLACED: HttpAdapter = evolve(
    PULSE,
    default_url="https://{host}",
    other_key_envs=("OLD_PULSE_KEY",),
    cancel=Route("POST", "/{version}/{id}", query={"project": "{project}"}),
    params={
        "host": Param("the workspace's host", optional=True),
        "version": Param("version of the API", default="v1"),
        "project": Param("whose job it is", optional=True),
    },
)


def endpoint(**params: str) -> Endpoint:
    given = config.job(PLACED, "1", params).params
    return config.endpoint(
        PLACED,
        api_keys={},
        base_urls={},
        api_key=as_secret(KEY),
        base_url=None,
        allow_http=False,
        params=given,
    )


def test_a_param_may_have_a_default_or_be_optional() -> None:
    assert {"version": "v1"} == config.job(PLACED, "1", None).params
    given = {"version": "v2", "project": "p"}
    assert given == config.job(PLACED, "1", given).params


FROM_ENVIRONMENT: HttpAdapter = evolve(
    PLACED,
    params={
        **PLACED.params,
        "version": Param("version of the API", default="v1", env="ACME_VERSION"),
        "project": Param("whose job it is", optional=True, env="ACME_PROJECT"),
    },
)


def test_a_param_takes_precedence_over_its_environment_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_VERSION", "v3")
    monkeypatch.setenv("ACME_PROJECT", " p-3\n")
    assert {"version": "v3", "project": "p-3"} == config.job(FROM_ENVIRONMENT, "1", None).params
    given = {"version": "v2", "project": "p-2"}
    assert given == config.job(FROM_ENVIRONMENT, "1", given).params


@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_variable_is_ignored(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_VERSION", blank)
    monkeypatch.setenv("ACME_PROJECT", blank)
    assert {"version": "v1"} == config.job(FROM_ENVIRONMENT, "1", None).params


def test_a_missing_param_is_reported_with_its_variable() -> None:
    needed: HttpAdapter = evolve(
        PLACED, params={**PLACED.params, "project": Param("whose job it is", env="ACME_PROJECT")}
    )
    problem = "'pulse' needs the param 'project': whose job it is; or set ACME_PROJECT"
    with pytest.raises(ConfigurationError, match=problem):
        config.job(needed, "1", None)


def test_a_param_from_the_environment_is_validated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_VERSION", "..")
    refused = FROM_ENVIRONMENT.refuse(config.job(FROM_ENVIRONMENT, "1", None))
    assert "the param 'version' is '..', which would change the path" in (refused or "")


ADDRESSED: HttpAdapter = evolve(
    PULSE,
    cancel=Route("DELETE", "/v1/job/{id}"),
    status=Route("GET", "/v1/job/{id}"),
    other_url_envs={"PULSE_API_URL": "/v1", "PULSE_URL": ""},
)


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, "https://api.runpulse.com"),
        ({"PULSE_API_URL": "https://a.example/v1"}, "https://a.example"),
        ({"PULSE_API_URL": "https://a.example/proxy/v1/"}, "https://a.example/proxy"),
        ({"PULSE_API_URL": "https://a.example"}, "https://a.example"),
        ({"PULSE_API_URL": " ", "PULSE_URL": "https://b.example"}, "https://b.example"),
        ({"PULSE_URL": "https://b.example/v1"}, "https://b.example/v1"),
        (
            {"PULSE_BASE_URL": "https://c.example", "PULSE_API_URL": "https://a.example/v1"},
            "https://c.example",
        ),
    ],
)
def test_our_url_variable_takes_precedence_over_the_vendors(
    variables: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert url == find(ADDRESSED).base_url


def test_a_url_from_the_vendors_variable_is_validated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PULSE_API_URL", "http://a.example/v1")
    with pytest.raises(ConfigurationError, match="plain http"):
        find(ADDRESSED)


def test_a_param_may_be_part_of_the_host() -> None:
    assert "https://ws-1.example.net" == endpoint(host="ws-1.example.net").base_url


def test_a_missing_host_param_is_reported() -> None:
    problem = "'pulse' needs the param 'host' as part of its host: the workspace's host; or"
    with pytest.raises(ConfigurationError, match=f"{problem} pass base_url= or set PULSE_BASE_URL"):
        endpoint()


@pytest.mark.parametrize("host", ["", "a/b", "a@b", "a b", "-a", "x:1", "https://x.example"])
@pytest.mark.parametrize("url", ["", "http://127.0.0.1:8000", "https://environment.example"])
def test_an_invalid_host_is_rejected_for_every_base_url(
    url: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_BASE_URL", url)
    problem = (
        f"the param 'host' of 'pulse' is {host!r}, which is not valid in a host name; it must be"
    )
    with pytest.raises(ConfigurationError, match=f"{problem} the workspace's host"):
        endpoint(host=host)


def test_a_base_url_makes_the_host_param_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_BASE_URL", "https://proxy.example")
    assert "https://proxy.example" == endpoint().base_url


WORKSPACE, ELSEWHERE = "ws-1.cloud.databricks.com", "ws-2.cloud.databricks.com"


def databricks(provider: str = "databricks-run", **given: Any) -> str:
    """Return the base URL for a Databricks job whose params name `host`."""
    host = given.pop("host", WORKSPACE)
    with Canceller(
        **{name: given.pop(name) for name in ("api_keys", "base_urls") if name in given}
    ) as c:
        return c.prepare(provider, "1", params={"host": host}, **given).endpoint.base_url


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", KEY)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize(
    "host",
    [
        WORKSPACE, "adb-1.7.azuredatabricks.net", "1.8.gcp.databricks.com", "a.databricks.azure.cn",
        "WS-1.Cloud.Databricks.COM",
    ],
)  # fmt: skip
def test_a_job_may_name_any_of_the_vendors_hosts(host: str) -> None:
    assert f"https://{host}" == databricks(host=host)
    assert f"https://{host}" == databricks("databricks-statement", host=host)


FOREIGN = [
    "evil.example", "127.0.0.1", "localhost", "cloud.databricks.com",
    "xcloud.databricks.com", "ws-1.cloud.databricks.com.evil.example", "databricks.com",
    "ws-1-cloud.databricks.com", "a.cloud.databricks.co",
]  # fmt: skip


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("host", FOREIGN)
@pytest.mark.parametrize("provider", ["databricks-run", "databricks-statement"])
def test_no_key_is_sent_to_a_host_that_is_not_the_vendors(provider: str, host: str) -> None:
    for given in ({}, {"api_keys": {provider: KEY}}, {"api_key": as_secret(KEY)}):
        with pytest.raises(ConfigurationError, match=r"names the host .*DATABRICKS_HOST") as caught:
            databricks(provider, host=host, **given)
        assert "base_url=" in str(caught.value)


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("host", [ELSEWHERE, *FOREIGN])
@pytest.mark.parametrize("provider", ["databricks-run", "databricks-statement"])
def test_a_job_cannot_name_another_host_than_the_configured_one(
    provider: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = {"databricks-run": f"https://{WORKSPACE}"}
    with pytest.raises(ConfigurationError, match="the client's base_urls names 'ws-1"):
        databricks(provider, host=host, base_urls=urls)
    monkeypatch.setenv("DATABRICKS_HOST", f"https://{WORKSPACE}")
    with pytest.raises(ConfigurationError, match="DATABRICKS_HOST names 'ws-1"):
        databricks(provider, host=host)
    with pytest.raises(ConfigurationError, match="DATABRICKS_HOST names 'ws-1"):
        databricks(provider, host=host, api_keys={provider: KEY})


@pytest.mark.usefixtures("token")
def test_a_job_may_name_the_configured_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", "https://WS-1.cloud.databricks.com:8443/prefix/")
    assert "https://WS-1.cloud.databricks.com:8443/prefix" == databricks()
    assert "https://gateway.example" == databricks(base_url="https://gateway.example")
    monkeypatch.setenv("DATABRICKS_HOST", "https://dbc.corp.example")
    assert "https://dbc.corp.example" == databricks(host="dbc.corp.example")


def test_a_key_passed_to_the_call_may_go_to_another_vendor_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABRICKS_HOST", f"https://{WORKSPACE}")
    assert f"https://{ELSEWHERE}" == databricks(host=ELSEWHERE, api_key=as_secret(KEY))


@pytest.mark.parametrize("stand_in", ["http://127.0.0.1:8000/x", "http://localhost:1"])
@pytest.mark.parametrize("host", [WORKSPACE, *FOREIGN])
@pytest.mark.usefixtures("token")
def test_a_loopback_base_url_receives_the_jobs_of_every_host(
    stand_in: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stand_in == databricks(host=host, base_urls={"databricks-run": stand_in})
    monkeypatch.setenv("DATABRICKS_HOST", stand_in)
    assert stand_in == databricks(host=host)


def test_cancel_many_sends_no_key_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", KEY)
    sent: list[str] = []

    def reply(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.host)
        return httpx.Response(401)

    async def run() -> None:
        client = httpx.AsyncClient(transport=httpx.MockTransport(reply))
        jobs = [
            Job("databricks-run", "1", {"host": WORKSPACE}),
            Job("databricks-run", "2", {"host": "evil.example"}),
        ]
        async with AsyncCanceller(http_client=client, deadline=0.1) as canceller:
            async for _ in canceller.cancel_many(jobs):
                pass

    with pytest.raises(ConfigurationError, match=r"the host 'evil\.example', which is not one"):
        asyncio.run(run())
    assert {WORKSPACE} >= set(sent)


@pytest.mark.parametrize(
    ("default_url", "params", "host"),
    [
        ("https://{resource}.openai.azure.com", {"resource": "ours"}, "ours.openai.azure.com"),
        ("https://{a}.example.com:8443", {"a": "x.y"}, "x.y.example.com:8443"),
        ("https://model-{a}-{b}.example.com/v1", {"a": "x", "b": "y"}, "model-x-y.example.com/v1"),
        ("https://example.com/{a}", {"a": "x"}, "example.com/x"),
    ],
)
def test_a_subdomain_of_the_vendors_host_needs_no_list_of_hosts(
    default_url: str, params: dict[str, str], host: str
) -> None:
    adapter = evolve(PLACED, default_url=default_url, params=_described(params))
    assert (
        f"https://{host}"
        == find(adapter, api_key=None, api_keys={"pulse": KEY}, params=params).base_url
    )


@pytest.mark.parametrize(
    "default_url",
    ["https://{a}", "https://{a}:8443", "https://{a}/v1", "https://api.{a}", "https://{a}.com",
     "https://x-{a}example.com"],
)  # fmt: skip
def test_a_host_that_may_be_anyones_requires_a_key_in_the_call(default_url: str) -> None:
    params = {"a": "evil.example"}
    adapter = evolve(PLACED, default_url=default_url, params=_described(params))
    with pytest.raises(
        ConfigurationError, match="which may not belong to the vendor; if you trust it"
    ):
        find(adapter, api_key=None, api_keys={"pulse": KEY}, params=params)
    assert "evil.example" in find(adapter, params=params).base_url


def _described(params: dict[str, str]) -> dict[str, Param]:
    others = {"version": Param("version"), "project": Param("project")}
    return {name: Param(name) for name in params} | others


@pytest.mark.parametrize("stand_in", ["http://127.0.0.1:8000/x", "http://localhost:1"])
def test_a_loopback_base_url_replaces_a_host_param(
    stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"adapter": PLACED, "params": {"host": "ws-1.example.net"}}
    assert stand_in == find(**named, base_urls={"pulse": stand_in}).base_url
    monkeypatch.setenv("PULSE_BASE_URL", stand_in)
    assert stand_in == find(**named).base_url


def test_a_base_url_takes_precedence_over_a_default_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter = evolve(
        PLACED,
        default_url="https://{region}.example.net",
        params={"region": Param("region", default="eu"), "version": "v", "project": "p"},
    )
    params = config.job(adapter, "1", {"version": "1", "project": "2"}).params
    assert "https://eu.example.net" == find(adapter, params=params).base_url
    monkeypatch.setenv("PULSE_BASE_URL", "https://proxy.example")
    assert "https://proxy.example" == find(adapter, params=params).base_url


def test_the_key_may_come_from_the_vendors_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    def key() -> str:
        found = config.endpoint(
            PLACED,
            api_keys={},
            base_urls={},
            api_key=None,
            base_url="https://x.example",
            allow_http=False,
        )
        return found.key.reveal()

    monkeypatch.setenv("OLD_PULSE_KEY", "old")
    assert "old" == key()
    monkeypatch.setenv("PULSE_API_KEY", "new")
    assert "new" == key()
