"""
Writes the AsyncAPI document and the JSON Schemas of the topics into `docs/api/`, out of the models.

Run `python -m sordino.pipelines.schemas` in a checkout after a change to the models; a test says when that is due.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sordino.pipelines.messages import (
    DEADLETTERS,
    RECOMMENDATIONS,
    SEGMENTS,
    DeadLetter,
    Message,
    Recommendation,
    Segment,
)
from sordino.pipelines.wire import SOURCE

FOLDER = Path(__file__).parents[2] / "docs" / "api"
CLOUDEVENTS = ("specversion", "id", "source", "type", "time")


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic, what is in it, and who writes it: Sordino sends, or receives."""

    name: str
    topic: str
    model: type[Message]
    action: str
    key: str
    summary: str


CHANNELS = (
    Channel("segment", SEGMENTS, Segment, "receive", "stream_id", "A piece of a live stream, or a whole short video."),
    Channel("recommendation", RECOMMENDATIONS, Recommendation, "send", "stream_id", "What to do about it, and why."),
    Channel("deadletter", DEADLETTERS, DeadLetter, "send", "the original's key", "A message that can't be worked on."),
)  # fmt: skip


def documents() -> dict[Path, str]:
    """Return each document's text by its path."""
    made: dict[Path, Any] = {FOLDER / _file(channel): _schema(channel) for channel in CHANNELS}
    made[FOLDER / "asyncapi.json"] = _asyncapi()
    return {path: json.dumps(value, indent=2, ensure_ascii=False) + "\n" for path, value in made.items()}


def main() -> None:
    """Write the documents."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in documents().items():
        path.write_text(text)


def _file(channel: Channel) -> str:
    return f"{channel.name}.v1.schema.json"


def _schema(channel: Channel) -> dict[str, Any]:
    # What is read may leave out defaults, and nothing unknown may be in it; what is written has every field, and may
    # have more of them one day.
    if channel.action == "receive":
        schema = channel.model.model_json_schema(mode="validation")
    else:
        schema = _open(channel.model.model_json_schema(mode="serialization"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _open(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _open(value) for name, value in node.items() if (name, value) != ("additionalProperties", False)}
    return [_open(each) for each in node] if isinstance(node, list) else node


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sordino",
            "version": "1",
            "description": "Segments in, recommendations out, over Kafka. CloudEvents 1.0 in binary mode: attributes "
            "in the headers, JSON in the value. On segments the headers may be left out.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {f"{channel.action}_{channel.name}": _operation(channel) for channel in CHANNELS},
        "components": {
            "messages": {channel.name: _message(channel) for channel in CHANNELS},
            "schemas": {f"{channel.name}_headers": _headers(channel) for channel in CHANNELS},
        },
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "address": channel.topic,
        "summary": channel.summary,
        "messages": {channel.name: {"$ref": f"#/components/messages/{channel.name}"}},
        "bindings": {"kafka": {"topic": channel.topic, "bindingVersion": "0.5.0"}},
    }


def _operation(channel: Channel) -> dict[str, Any]:
    reference = f"#/channels/{channel.name}"
    return {
        "action": channel.action,
        "channel": {"$ref": reference},
        "messages": [{"$ref": f"{reference}/messages/{channel.name}"}],
    }


def _message(channel: Channel) -> dict[str, Any]:
    return {
        "name": channel.model.__name__,
        "summary": channel.summary,
        "contentType": "application/json",
        "headers": {"$ref": f"#/components/schemas/{channel.name}_headers"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": _file(channel)},
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": channel.key}, "bindingVersion": "0.5.0"}},
    }


def _headers(channel: Channel) -> dict[str, Any]:
    fixed = {
        "ce_specversion": {"const": "1.0"},
        "ce_type": {"const": f"sordino.{channel.name}.v1"},
        "ce_time": {"type": "string", "format": "date-time"},
        "content-type": {"const": "application/json"},
    }
    if channel.action == "send":
        fixed["ce_source"] = {"const": SOURCE}
    names = [f"ce_{attribute}" for attribute in CLOUDEVENTS] + ["content-type"]
    properties = {name: fixed.get(name, {"type": "string"}) for name in names}
    required = names if channel.action == "send" else []
    return {"type": "object", "properties": properties, "required": required}


if __name__ == "__main__":
    main()
