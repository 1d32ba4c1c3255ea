"""Kafka records <-> messages: strict JSON in the value, CloudEvents 1.0 (binary mode) in the headers."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sordino.pipelines.failures import Poison
from sordino.pipelines.messages import DeadLetter, Recommendation, Segment

MAX_MESSAGE_BYTES = 2 << 20  # 1 MiB inline as base64, and room for the rest
SOURCE = "urn:sordino"
MAX_REASON = 500
_JSON = "application/json"

Headers = Sequence[tuple[str, bytes]]


class InvalidMessage(Poison):
    """What was received is not a message of the contract; the message names the field."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is handed to Kafka: key, value and headers."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]


def decode_segment(value: bytes | None, headers: Headers = ()) -> Segment:
    """
    Read a record of `sordino.segments.v1`.

    Headers are not required, but what is there must be CloudEvents 1.0 and JSON. Raises InvalidMessage.
    """
    _check_headers(headers)
    if not value:
        raise InvalidMessage("empty_message", "the message is empty")
    if len(value) > MAX_MESSAGE_BYTES:
        raise InvalidMessage("message_too_large", f"the message has {len(value)} bytes, over {MAX_MESSAGE_BYTES}")
    return validate_segment(parse_object(value))


def validate_segment(fields: dict[str, Any]) -> Segment:
    """Make a Segment of parsed JSON, as strict about types as its JSON Schema is; raises InvalidMessage."""
    try:
        # JSON has no tuples: through JSON again, strictness takes an array for one
        return Segment.model_validate_json(json.dumps(fields), strict=True)
    except ValidationError as error:
        raise _invalid_field(error) from None


def encode_segment(segment: Segment) -> Event:
    """Write a record of `sordino.segments.v1`, as a platform does."""
    value = segment.model_dump_json(exclude_defaults=True).encode()
    return _event("sordino.segment.v1", f"{segment.stream_id}/{segment.sequence}", segment.stream_id.encode(), value)


def encode_recommendation(recommendation: Recommendation) -> Event:
    """Write a record of `sordino.recommendations.v1`; `ce_id` is the recommendation's, the same at each delivery."""
    value = recommendation.model_dump_json().encode()
    key = recommendation.stream_id.encode()
    return _event("sordino.recommendation.v1", recommendation.recommendation_id, key, value)


def encode_dead_letter(letter: DeadLetter, key: bytes | None) -> Event:
    """Write a record of `sordino.deadletters.v1` under the original's key."""
    identity = f"{letter.topic}/{letter.partition}/{letter.offset}"
    return _event("sordino.deadletter.v1", identity, key, letter.model_dump_json().encode())


def dead_letter(
    original: bytes | None, where: tuple[str, int, int], reason: tuple[str, str], keep: int = MAX_MESSAGE_BYTES
) -> DeadLetter:
    """Make a dead letter of the first `keep` original bytes, of (topic, partition, offset) and of (code, message)."""
    body = original or b""
    topic, partition, offset = where
    code, message = reason
    return DeadLetter(
        original=base64.b64encode(body[:keep]).decode("ascii"),
        original_size=len(body),
        topic=topic,
        partition=partition,
        offset=offset,
        code=code,
        message=one_line(message),
    )


def one_line(text: str, limit: int = MAX_REASON) -> str:
    r"""
    Return the text safe for a log line: control characters escaped, cut at `limit` characters.

    >>> one_line("two\nlines")
    'two\\nlines'
    """
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _event(kind: str, identity: str, key: bytes | None, value: bytes) -> Event:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": identity,
        "ce_source": SOURCE,
        "ce_type": kind,
        "ce_time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "content-type": _JSON,
    }
    return Event(key, value, [(name, text.encode()) for name, text in attributes.items()])


def _check_headers(headers: Headers) -> None:
    for name, raw in headers:
        text = (raw or b"").decode("utf-8", "replace").strip()
        if name == "ce_specversion" and text != "1.0":
            raise InvalidMessage("unsupported_header", f"header ce_specversion is {one_line(text, 60)!r}, not '1.0'")
        if name.lower() == "content-type" and text.split(";")[0].strip().lower() != _JSON:
            raise InvalidMessage("unsupported_header", f"header content-type is {one_line(text, 60)!r}, not {_JSON!r}")


def parse_object(value: bytes) -> dict[str, Any]:
    """Parse a JSON object, without what Python's parser lets pass; raises InvalidMessage."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidMessage("not_utf8", f"it is not UTF-8 (byte {error.start})") from None
    try:
        parsed = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:  # also an integer of thousands of digits
        raise InvalidMessage("not_json", f"it is not JSON: {one_line(str(error), 200)}") from None
    if not isinstance(parsed, dict):
        raise InvalidMessage("not_an_object", f"it is JSON, but {_json_kind(parsed)} and no object")
    return parsed


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _no_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, item in pairs:
        if name in fields:
            raise InvalidMessage("duplicate_field", f"field {one_line(name, 60)!r} stands there twice")
        fields[name] = item
    return fields


def _json_kind(parsed: object) -> str:
    return {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}.get(type(parsed), "a number")


_CODES = {
    "extra_forbidden": ("unknown_field", "is unknown"),
    "missing": ("missing_field", "is missing"),
    "json_invalid": ("not_json", "holds text that is no Unicode"),  # it parsed before: only lone surrogates are left
    "bad_base64": ("bad_base64", "is not base64"),
    "inline_too_large": ("inline_too_large", "is over 1 MiB"),
}


def _invalid_field(error: ValidationError) -> InvalidMessage:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    errors.sort(key=lambda each: each["type"] != "extra_forbidden")  # a misspelt field says why another is missing
    code, _ = _CODES.get(errors[0]["type"], ("invalid_field", ""))
    more = f" (and {len(errors) - 3} more)" if len(errors) > 3 else ""
    return InvalidMessage(code, one_line("; ".join(_named(each) for each in errors[:3]) + more))


def _named(error: ErrorDetails) -> str:
    _, text = _CODES.get(error["type"], ("", error["msg"]))
    field = ".".join(str(part) for part in error["loc"])
    return f"field {one_line(field, 80)!r} {text}" if field else f"the message {text}"
