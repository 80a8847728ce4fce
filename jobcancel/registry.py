"""Maps provider names to adapters: built in, registered at run time, or in an installed plug-in.

Built-in adapters are imported when they are first used. Plug-ins are entry points of the group
`jobcancel.adapters`. They are searched only for names that are not built in: an adapter receives
API keys, so no plug-in can replace a built-in one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, cast

from jobcancel._lazy import load
from jobcancel.errors import BrokenAdapter, ConfigurationError, UnknownProvider, WrongType

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from jobcancel.adapter.protocol import Adapter

GROUP = "jobcancel.adapters"

BUILT_IN = MappingProxyType(
    {
        "anthropic-batch": "jobcancel.vendors.anthropic:ANTHROPIC_BATCH",
        "apify": "jobcancel.vendors.apify:APIFY",
        "azure-openai-batch": "jobcancel.vendors.azure_openai:AZURE_OPENAI_BATCH",
        "baseten": "jobcancel.vendors.baseten:BASETEN",
        "cohere-batch": "jobcancel.vendors.cohere:COHERE_BATCH",
        "databricks-run": "jobcancel.vendors.databricks:DATABRICKS_RUN",
        "databricks-statement": "jobcancel.vendors.databricks:DATABRICKS_STATEMENT",
        "extend-classify": "jobcancel.vendors.extend:EXTEND_CLASSIFY",
        "extend-extract": "jobcancel.vendors.extend:EXTEND_EXTRACT",
        "extend-parse": "jobcancel.vendors.extend:EXTEND_PARSE",
        "extend-split": "jobcancel.vendors.extend:EXTEND_SPLIT",
        "extend-workflow": "jobcancel.vendors.extend:EXTEND_WORKFLOW",
        "fal": "jobcancel.vendors.fal:FAL",
        "firecrawl-batch": "jobcancel.vendors.firecrawl:FIRECRAWL_BATCH",
        "firecrawl-crawl": "jobcancel.vendors.firecrawl:FIRECRAWL_CRAWL",
        "gemini-batch": "jobcancel.vendors.gemini:GEMINI_BATCH",
        "groq-batch": "jobcancel.vendors.groq:GROQ_BATCH",
        "higgsfield": "jobcancel.vendors.higgsfield:HIGGSFIELD",
        "llamacloud-batch": "jobcancel.vendors.llamacloud:LLAMACLOUD_BATCH",
        "llamacloud-extract": "jobcancel.vendors.llamacloud:LLAMACLOUD_EXTRACT",
        "llamacloud-parse": "jobcancel.vendors.llamacloud:LLAMACLOUD_PARSE",
        "mistral-batch": "jobcancel.vendors.mistral:MISTRAL_BATCH",
        "openai-batch": "jobcancel.vendors.openai:OPENAI_BATCH",
        "openai-finetune": "jobcancel.vendors.openai:OPENAI_FINETUNE",
        "openai-response": "jobcancel.vendors.openai:OPENAI_RESPONSE",
        "pulse": "jobcancel.vendors.pulse:PULSE",
        "pulse-legacy": "jobcancel.vendors.pulse:PULSE_LEGACY",
        "reducto": "jobcancel.vendors.reducto:REDUCTO",
        "replicate": "jobcancel.vendors.replicate:REPLICATE",
        "runpod": "jobcancel.vendors.runpod:RUNPOD",
        "runway": "jobcancel.vendors.runway:RUNWAY",
        "talonic": "jobcancel.vendors.talonic:TALONIC",
        "together-batch": "jobcancel.vendors.together:TOGETHER_BATCH",
        "unstructured": "jobcancel.vendors.unstructured:UNSTRUCTURED",
    }
)

_registered: dict[str, Adapter] = {}


def get_adapter(provider: str) -> Adapter:
    """Return the adapter of a provider.

    Args:
        provider: the provider's name, such as `"pulse"`.

    Raises:
        UnknownProvider: there is no such provider; the message lists the known ones.
        BrokenAdapter: the plug-in for it cannot be used; the message names the plug-in.

    Example:
        >>> get_adapter("talonic").title
        'Talonic'
    """
    check_known(provider)
    if provider in BUILT_IN:
        return _built_in(provider)
    if provider in _registered:
        return _registered[provider]
    return _from_plugin(provider)


def check_known(provider: object) -> None:
    """Check that a provider exists, without importing its adapter.

    Raises:
        UnknownProvider: there is no such provider; the message lists the known ones.
    """
    if not isinstance(provider, str):
        raise WrongType(f"provider must be a string such as 'pulse', not {provider!r}")
    if provider not in BUILT_IN and provider not in _registered and not _points(provider):
        raise UnknownProvider(_unknown(provider))


def register(adapter: Adapter, *, replace: bool = False) -> None:
    """Register an adapter under its name, in this process.

    Args:
        adapter: the adapter, usually an `HttpAdapter`.
        replace: whether to replace an adapter that is already registered under that name.

    Raises:
        ConfigurationError: it is not an adapter; or its name is built in, or already registered
            and `replace` is false.
    """
    if (problem := _problem(adapter)) is not None:
        raise WrongType(f"not an adapter: {_repr(adapter)}; declare an HttpAdapter ({problem})")
    if adapter.name in BUILT_IN:
        raise ConfigurationError(
            f"{adapter.name!r} is a built-in provider and cannot be replaced; choose another name"
        )
    if not replace and _registered.get(adapter.name, adapter) != adapter:
        raise ConfigurationError(
            f"{adapter.name!r} is already registered; pass replace=True to replace it"
        )
    if not replace and (points := _points(adapter.name)):
        raise ConfigurationError(
            f"{adapter.name!r} is also provided by {_distribution(points[0])}; pass replace=True "
            "to use this one"
        )
    _registered[adapter.name] = adapter


def is_local(provider: str) -> bool:
    """Whether only this process has the provider's adapter: it was registered at run time."""
    return provider in _registered


def providers() -> tuple[str, ...]:
    """Return the names of all providers, sorted: built in, registered and from plug-ins.

    Plug-ins are not imported.
    """
    return tuple(sorted({*BUILT_IN, *_registered, *(point.name for point in _entry_points())}))


@cache
def _built_in(provider: str) -> Adapter:
    module, _, attribute = BUILT_IN[provider].partition(":")
    return cast("Adapter", getattr(load(module), attribute))


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def _points(provider: str) -> list[EntryPoint]:
    return [point for point in _entry_points() if point.name == provider]


def _from_plugin(provider: str) -> Adapter:
    points = _points(provider)
    if len(points) > 1:
        names = " and ".join(sorted(map(_distribution, points)))
        raise BrokenAdapter(f"{provider!r} is provided by {names}; uninstall all but one of them")
    return _load(points[0])


@cache
def _load(point: EntryPoint) -> Adapter:
    origin = f"plug-in {point.name!r} of {_distribution(point)}"
    try:
        adapter = point.load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # third-party code may raise anything, SystemExit included
        raise BrokenAdapter(f"{origin} cannot be imported: {_repr(error)}") from error
    if (problem := _problem(adapter)) is not None:
        raise BrokenAdapter(f"{origin} is not an adapter: it is {_repr(adapter)}; {problem}")
    if adapter.name != point.name:
        raise BrokenAdapter(
            f"{origin} has an adapter named {adapter.name!r}; the two names must be equal"
        )
    return cast("Adapter", adapter)


def _problem(adapter: object) -> str | None:
    """Return why an object is not an adapter, or None if it is one.

    It is third-party code: any of its properties may raise.
    """
    for name, kinds in _ATTRIBUTES.items():
        try:
            value = getattr(adapter, name)
        except AttributeError:
            return f"it has no {name!r}"
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - third-party code
            return f"its {name!r} raises {_repr(error)}"
        if not isinstance(value, kinds):
            return f"its {name!r} is {_repr(value)}"
    missing = [name for name in _METHODS if not callable(getattr(adapter, name, None))]
    return f"it has no method {missing[0]!r}" if missing else None


_TEXT, _MAYBE_TEXT = (str,), (str, NoneType)
# The attributes that lists of providers and every call use, and their types.
_ATTRIBUTES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "title", "docs", "default_url", "key_env", "url_env"), _TEXT),
    **dict.fromkeys(("deprecated", "credentials_of"), _MAYBE_TEXT),
    "other_key_envs": (tuple, list),
    "params": (Mapping,),
    "destroys_finished": (bool,),
}
_METHODS = (
    *("refuse", "must_read_first", "cancel_request", "status_request"),
    *("read_cancel", "read_status"),
)
_LONGEST_REPR = 300


def _repr(value: object) -> str:
    """Return the start of a third-party object's repr, or its type if `repr` raises."""
    try:
        return repr(value)[:_LONGEST_REPR]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - third-party code
        return f"a {type(value).__name__}"


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _unknown(provider: str) -> str:
    import difflib

    known = providers()
    near = difflib.get_close_matches(provider, known, n=1)
    suggestion = f"; did you mean {near[0]!r}?" if near else "."
    return f"no provider {provider!r}{suggestion} Known: {', '.join(known)}"
