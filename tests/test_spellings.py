"""A key is found in every spelling, in time proportional to the length of the data."""

from __future__ import annotations

import html
import json
import sys
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobcancel.spellings import Spellings

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "sk-live-0123/456+789_Ab"
SPELLED: dict[str, Callable[[str], str]] = {
    "as it is": lambda key: key,
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON, slashes escaped": lambda key: key.replace("/", r"\/"),
    "JSON, all escaped": lambda key: "".join(f"\\u{ord(each):04x}" for each in key),
    "JSON, in capitals": lambda key: "".join(f"\\u{ord(each):04X}" for each in key),
    "JSON in JSON": lambda key: "".join(f"\\\\u{ord(each):04x}" for each in key),
    "JSON, now and then": lambda key: (
        f"\\u{ord(key[0]):04x}{key[1:5]}\\u{ord(key[5]):04x}{key[6:]}"
    ),
    "a literal of Python or C": lambda key: "".join(f"\\x{ord(each):02x}" for each in key),
    "a URL": lambda key: quote(key, safe=""),
    "a URL, all escaped": lambda key: "".join(f"%{ord(each):02X}" for each in key),
    "a URL, in small letters": lambda key: "".join(f"%{ord(each):02x}" for each in key),
    "a URL in a URL": lambda key: quote(quote(key, safe=""), safe=""),
    "HTML": html.escape,
    "HTML, all escaped": lambda key: "".join(f"&#{ord(each)};" for each in key),
    "HTML, leading zeros": lambda key: "".join(f"&#{ord(each):05};" for each in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(each):x};" for each in key),
    "HTML, hexadecimal in capitals": lambda key: "".join(f"&#X{ord(each):X};" for each in key),
    "HTML in HTML": lambda key: html.escape("".join(f"&#{ord(each)};" for each in key)),
    "HTML, by names": lambda key: key.replace("/", "&sol;").replace("+", "&plus;"),
    "hex": lambda key: key.encode().hex(),
    "hex in capitals": lambda key: key.encode().hex().upper(),
    "base64": lambda key: b64encode(key.encode()).decode(),
    "base64 without padding": lambda key: b64encode(key.encode()).decode().rstrip("="),
    "base64 for URLs": lambda key: urlsafe_b64encode(key.encode()).decode(),
    "base64 in JSON": lambda key: b64encode(key.encode()).decode().replace("/", r"\/"),
    "base64 in a URL": lambda key: quote(b64encode(key.encode()).decode(), safe=""),
}


@pytest.mark.parametrize("spell", SPELLED.values(), ids=SPELLED)
def test_a_key_is_found_in_every_spelling(spell: Callable[[str], str]) -> None:
    data = f"Wrong key: {spell(KEY)}, {spell(KEY)}.".encode()
    assert (b"Wrong key: -, -.", 2) == Spellings([KEY]).replace(data, b"-")


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "user:"])
@pytest.mark.parametrize("after", ["", "x", "xy", "xyz"])
@pytest.mark.parametrize("key", ["a?>~~?>?>b~?", "0123456789", "01234567890", "012345678901"])
def test_a_key_is_found_at_any_offset_in_base64(
    encode: Callable[[bytes], bytes], before: str, after: str, key: str
) -> None:
    replaced, times = Spellings([key]).replace(encode(f"{before}{key}{after}".encode()), b"-")
    assert 1 == times
    # Some bits of the first and last byte may share a base64 character with neighboring bytes.
    assert len(encode(before.encode())) + len(encode(after.encode())) + 5 >= len(replaced)


@given(st.text(min_size=8), st.text(), st.text(), st.sampled_from(sorted(SPELLED)))
def test_surrounding_text_does_not_hide_a_key(key: str, before: str, after: str, how: str) -> None:
    ascii_key = "k" + quote(key, safe="").replace("%", "+")
    spelled = SPELLED[how](ascii_key)
    data = f"{before} {spelled} {after}".encode()
    assert spelled.encode() not in Spellings([ascii_key]).replace(data, b"-")[0]


@pytest.mark.parametrize(
    "data",
    [
        "", "a\\", "%", "%4", "%zz", "&", "&;", "&#;", "&#x;", "&#99999999;", "&#9999999;",
        "&unheard;", "&#xffffff;", r"\ud83d", r"\ude00\ud83d", "\\u12", "&amp", "&amp;", "%25%",
    ],
)  # fmt: skip
def test_invalid_escapes_are_unchanged(data: str) -> None:
    assert (data.encode(), 0) == Spellings([KEY]).replace(data.encode(), b"-")
    assert (f"{data}-{data}".encode(), 1) == Spellings([KEY]).replace(
        f"{data}{KEY}{data}".encode(), b"-"
    )


def test_overlapping_spellings_are_replaced() -> None:
    assert (b"-", 1) == Spellings(["abcd", "cdef"]).replace(rb"\u0061bcdef", b"-")


# Parts of what each step searches, and beginnings that are never completed.
PUMPED = [
    "\\", "\\\\u", "\\u00", "\\u0073", "\\ud83d", "\\ud83d\\", "\\x7", "%", "%2", "%25", "%252",
    "&", "&a", "&amp;", "&amp;#", "&#1", "&#x", "&#x4", "&#65;", '\\"', "a", KEY[:-1], KEY[:8], "=",
    b64encode(KEY.encode()).decode()[:-1], "\\/", "&" + "a" * 31,
]  # fmt: skip


@pytest.mark.parametrize("key", ["\\abcdefgh12", "abcdefgh12\\"])
def test_a_key_with_a_backslash_at_an_end_is_replaced_completely(key: str) -> None:
    assert (b"[-]", 1) == Spellings([key]).replace(f"[{key}]".encode(), b"-")


def lines_run(work: Callable[[], object]) -> int:
    """Return how many lines of code run: a measure of time that a busy machine does not distort."""
    count = 0

    def count_lines(*_: object) -> Any:
        nonlocal count
        count += 1
        return count_lines

    other = sys.gettrace()  # such as that of coverage
    sys.settrace(count_lines)
    try:
        work()
    finally:
        sys.settrace(other)
    return count


@pytest.mark.parametrize("part", PUMPED)
def test_the_search_takes_linear_time(part: str) -> None:
    spellings, steps = Spellings([KEY]), []
    for size in (1_000, 2_000, 4_000):
        data = (part * (size // len(part) + 1))[:size].encode()
        steps.append(lines_run(lambda data=data: spellings.replace(data, b"-")))  # type: ignore[misc]
    assert steps[2] <= 2.2 * steps[1] + 100
    assert steps[1] <= 2.2 * steps[0] + 100
