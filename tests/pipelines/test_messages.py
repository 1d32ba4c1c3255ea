"""The wire contract: what is read, what is refused and how it is named, what is written."""

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.pipelines import schemas
from sordino.pipelines.messages import MAX_INLINE_BYTES, DeadLetter, Media
from sordino.pipelines.wire import (
    MAX_MESSAGE_BYTES,
    InvalidMessage,
    dead_letter,
    decode_segment,
    encode_dead_letter,
    encode_recommendation,
    encode_segment,
    one_line,
)
from tests.pipelines.wire_samples import recommendation, segment

GOOD: dict[str, Any] = {
    "stream_id": "live-1", "sequence": 3, "start_s": 30, "duration_s": 10.0, "media": {"uri": "file:///srv/a.ts"},
    "live": True, "account": "shop", "territory": "DE", "commercial": True, "title": "Ü", "captions": "a\nb",
    "declared_licences": ["l1"], "exceptions_claimed": ["quotation"], "ended": False,
}  # fmt: skip


def changed(**fields: Any) -> bytes:
    return json.dumps(GOOD | fields).encode()


def test_a_segment_is_read() -> None:
    read = decode_segment(json.dumps(GOOD).encode())
    assert json.loads(read.model_dump_json(exclude={"media": {"inline"}})) == GOOD


def test_the_end_of_a_stream_needs_no_media() -> None:
    assert decode_segment(changed(media=None, ended=True)).media is None


def test_inline_media_up_to_one_mebibyte() -> None:
    body = bytes(MAX_INLINE_BYTES)
    read = decode_segment(changed(media={"inline": base64.b64encode(body).decode()}))
    assert read.media is not None
    assert read.media.inline_bytes() == body


SURROGATE = json.dumps(GOOD).replace('"live-1"', '"\\ud800"').encode()

REFUSED = {
    "no value": (None, "empty_message", "empty"),
    "empty": (b"", "empty_message", "empty"),
    "not UTF-8": (b'{"a": "\xff"}', "not_utf8", "byte 7"),
    "not JSON": (b"{", "not_json", "line 1 column 2"),
    "not only JSON": (changed() + b"x", "not_json", "Extra data"),
    "array": (b"[]", "not_an_object", "an array"),
    "number": (b"1", "not_an_object", "a number"),
    "null": (b"null", "not_an_object", "null"),
    "too deep": (b"[" * 100_000, "not_json", "recursion"),
    "digits without end": (changed(sequence=0).replace(b": 0", b": " + b"1" * 5000), "not_json", "digits"),
    "NaN": (changed(duration_s=float("nan")), "not_json", "NaN"),
    "infinity": (changed(duration_s=float("-inf")), "not_json", "-Infinity"),
    "overflow": (changed().replace(b"10.0", b"1e999"), "invalid_field", "duration_s"),
    "half a character": (SURROGATE, "not_json", "Unicode"),
    "field twice": (changed().replace(b'"live"', b'"title"'), "duplicate_field", "title"),
    "unknown field": (changed(acount="x"), "unknown_field", "acount"),
    "misspelt field": (changed().replace(b"start_s", b"stat_s"), "unknown_field", "stat_s"),
    "missing field": (b'{"stream_id": "a"}', "missing_field", "sequence"),
    "no media": (changed(media=None), "invalid_field", "media"),
    "negative duration": (changed(duration_s=-1), "invalid_field", "duration_s"),
    "negative sequence": (changed(sequence=-1), "invalid_field", "sequence"),
    "sequence past 64 bits": (changed(sequence=2**63), "invalid_field", "sequence"),
    "half a sequence": (changed(sequence=1.5), "invalid_field", "sequence"),
    "text for a number": (changed(sequence="1"), "invalid_field", "sequence"),
    "number for text": (changed(stream_id=1), "invalid_field", "stream_id"),
    "nameless": (changed(stream_id=""), "invalid_field", "stream_id"),
    "NUL": (changed(stream_id="a\x00"), "invalid_field", "stream_id"),
    "NUL in text": (changed(captions="a\x00"), "invalid_field", "captions"),
    "long name": (changed(account="x" * 257), "invalid_field", "account"),
    "territory": (changed(territory="Germany"), "invalid_field", "territory"),
    "two media": (changed(media={"uri": "file:///a", "inline": ""}), "invalid_field", "media"),
    "unknown in media": (changed(media={"url": "x"}), "unknown_field", "media.url"),
    "not base64": (changed(media={"inline": "%%%%"}), "bad_base64", "media.inline"),
    "cut base64": (changed(media={"inline": "QUJDR"}), "bad_base64", "media.inline"),
    "inline too large": (changed(media={"inline": "A" * 1_398_108}), "inline_too_large", "media.inline"),
    "too large": (changed(captions="x" * MAX_MESSAGE_BYTES), "message_too_large", str(MAX_MESSAGE_BYTES)),
}


@pytest.mark.parametrize(("value", "code", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(value: bytes | None, code: str, named: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_segment(value)
    assert caught.value.code == code
    assert named in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 500


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(GOOD)), inner),
    max_leaves=8).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_comes_is_a_segment_or_named(value: bytes) -> None:
    try:
        read = decode_segment(value)
    except InvalidMessage as error:
        text = str(error)
    else:
        text = read.stream_id
    assert text.isprintable()


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("ce_specversion", b"1.0"), ("content-type", b"application/json; charset=utf-8"), ("trace", b"\xff")],
        [("Content-Type", b"application/json")],
    ],
    ids=["none", "CloudEvents", "other case"],
)
def test_headers_that_are_accepted(headers: list[tuple[str, bytes]]) -> None:
    decode_segment(changed(), headers)


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (("ce_specversion", b"0.3"), "ce_specversion is '0.3'"),
        (("content-type", b"application/cloudevents+json"), "cloudevents"),
        (("content-type", b"application/avro\n"), "avro"),
        (("content-type", b"\xff"), "content-type"),
    ],
)
def test_headers_that_are_refused(header: tuple[str, bytes], named: str) -> None:
    with pytest.raises(InvalidMessage, match=r"content-type|ce_specversion") as caught:
        decode_segment(changed(), [header])
    assert caught.value.code == "unsupported_header"
    assert named in str(caught.value)


def test_what_a_platform_writes_is_read_back() -> None:
    written = segment("live-1", 4, title="ü", declared_licences=("a", "b"), media=Media(inline="QUJD"))
    event = encode_segment(written)
    assert event.key == b"live-1"
    assert decode_segment(event.value, event.headers) == written


def test_cloudevents_headers() -> None:
    first, again = encode_recommendation(recommendation("s", 1)), encode_recommendation(recommendation("s", 1))
    headers, headers_again = dict(first.headers), dict(again.headers)
    assert datetime.fromisoformat(headers.pop("ce_time").decode()).tzinfo is not None
    headers_again.pop("ce_time")
    assert headers == headers_again == {
        "ce_specversion": b"1.0", "ce_id": b"s/1/1", "ce_source": b"urn:sordino",
        "ce_type": b"sordino.recommendation.v1", "content-type": b"application/json",
    }  # fmt: skip
    assert (first.key, first.value) == (again.key, again.value)
    assert dict(encode_recommendation(recommendation("s", 2)).headers)["ce_id"] == b"s/2/1"


def test_a_dead_letter_has_the_original_and_where_it_is() -> None:
    letter = dead_letter(b"\xff{", ("t", 2, 7), ("not_utf8", "one\ntwo\x1b[31m" + "x" * 999))
    event = encode_dead_letter(letter, b"key")
    read = DeadLetter.model_validate_json(event.value)
    assert base64.b64decode(read.original) == b"\xff{"
    assert (read.topic, read.partition, read.offset, read.code) == ("t", 2, 7, "not_utf8")
    assert (event.key, dict(event.headers)["ce_id"]) == (b"key", b"t/2/7")
    assert read.message.isprintable()


@given(st.text(), st.integers(3, 100))
def test_one_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    line.encode()


def test_the_schemas_in_the_documents_are_those_of_the_code() -> None:
    for path, text in schemas.documents().items():
        assert path.read_text() == text, f"{path} is out of date: run python -m sordino.pipelines.schemas"


def schema(name: str) -> Any:
    return json.loads((schemas.FOLDER / f"{name}.v1.schema.json").read_text())


def test_the_schemas_hold_what_is_written() -> None:
    letter = dead_letter(b"x", ("t", 0, 0), ("not_json", "x"))
    samples = {
        "segment": encode_segment(segment()).value,
        "recommendation": encode_recommendation(recommendation()).value,
        "deadletter": encode_dead_letter(letter, None).value,
    }
    for name, value in samples.items():
        jsonschema.Draft202012Validator.check_schema(schema(name))
        jsonschema.Draft202012Validator(schema(name)).validate(json.loads(value))


def test_the_schemas_of_what_is_written_admit_fields_to_come() -> None:
    value = json.loads(encode_recommendation(recommendation()).value)
    value["measures"][0]["one_day"] = value["one_day"] = 1
    jsonschema.Draft202012Validator(schema("recommendation")).validate(value)


IN_SCHEMA = ["unknown field", "missing field", "negative duration", "negative sequence", "sequence past 64 bits",
    "half a sequence", "text for a number", "number for text", "nameless", "NUL", "long name", "territory",
    "unknown in media", "inline too large"]  # fmt: skip


@pytest.mark.parametrize("name", IN_SCHEMA)
def test_the_schema_refuses_what_the_code_refuses(name: str) -> None:
    value = REFUSED[name][0]
    assert value is not None
    assert not jsonschema.Draft202012Validator(schema("segment")).is_valid(json.loads(value))


def test_asyncapi_names_the_topics_and_refers_to_schemas_that_are_there() -> None:
    document = json.loads((schemas.FOLDER / "asyncapi.json").read_text())
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"sordino.segments.v1", "sordino.recommendations.v1", "sordino.deadletters.v1"}
    for reference in references(document):
        path, _, pointer = reference.partition("#")
        found = document if not path else json.loads((schemas.FOLDER / Path(path)).read_text())
        for part in filter(None, pointer.split("/")):
            found = found[part]
        assert found


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [each for value in node.values() for each in references(value)]
    return [each for value in node for each in references(value)] if isinstance(node, list) else []
