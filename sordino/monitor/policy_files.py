"""Where policies are read from: those that come with the product, and TOML files of the operator's."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sordino.monitor.holders import HolderPolicy
from sordino.monitor.policy import MAX_POLICY_BYTES, Policy, PolicyError

Model = TypeVar("Model", Policy, HolderPolicy)

_KINDS: dict[type[BaseModel], str] = {Policy: "platform", HolderPolicy: "holder"}
_WORDS = {"platform": "a platform's policy", "holder": "a rights holder's policy"}


def load(name_or_path: str | Path = "default") -> Policy:
    """
    Read a packaged policy by its name, or any by the path of its file (which ends in `.toml`).

    Raises PolicyError: `policy_not_found`, `policy_unreadable`, `policy_not_toml` or `policy_invalid`.

    >>> load("default").name
    'default'
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        return _parsed(Policy, text, read(Path(name_or_path)))
    if text not in packaged():  # also keeps names such as `../x` from being looked up
        raise PolicyError("policy_not_found", f"no policy {text!r}; there are: {', '.join(packaged())}")
    return _parsed(Policy, text, read(_folder() / f"{text}.toml"))


def packaged() -> list[str]:
    """Return the names of the platforms' policies that come with the product, sorted."""
    return [path.name.removesuffix(".toml") for path in _files(_folder())]


def holders(folder: Path) -> Mapping[str, HolderPolicy]:
    """
    Return the rights holders' policies by name: the packaged ones, and those of the folder, which go first.

    No folder is fine. Raises PolicyError for a file that can't be used, and `policy_twice` for two of one name.
    """
    found: dict[str, HolderPolicy] = {}
    for place in (_folder() / "holders", folder):
        here: dict[str, HolderPolicy] = {}
        for path in _files(place):
            policy = _parsed(HolderPolicy, str(path), read(path))
            if policy.name in here:
                raise PolicyError(
                    "policy_twice", f"policy {str(path)!r}: another file of its folder has {policy.name!r}"
                )
            here[policy.name] = policy
        found |= here
    return found


def load_any(name_or_path: str, folder: Path) -> Policy | HolderPolicy:
    """Read a policy of either kind, by a path or by the name of a packaged one or of one in the folder."""
    if name_or_path.endswith(".toml"):
        text = read(Path(name_or_path))
        of_holder = _values(name_or_path, text).get("kind") == "holder"
        return _parsed(HolderPolicy, name_or_path, text) if of_holder else _parsed(Policy, name_or_path, text)
    of_holders = holders(folder)
    if name_or_path in of_holders:
        return of_holders[name_or_path]
    if name_or_path not in packaged():
        there = ", ".join([*packaged(), *sorted(of_holders)])
        raise PolicyError("policy_not_found", f"no policy {name_or_path!r}; there are: {there}")
    return load(name_or_path)


def _folder() -> Traversable:
    return resources.files("sordino.monitor").joinpath("policies")


def _files(folder: Traversable) -> list[Traversable]:
    try:
        items = list(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise PolicyError("policy_unreadable", f"policies {str(folder)!r}: {error.strerror}") from error
    return sorted((item for item in items if item.name.endswith(".toml")), key=lambda item: item.name)


def read(path: Traversable) -> str:
    """Return a policy's text; PolicyError where there is none, or too much."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_POLICY_BYTES + 1)
    except FileNotFoundError as error:
        raise PolicyError("policy_not_found", f"no policy file {str(path)!r}") from error
    except OSError as error:
        raise PolicyError("policy_unreadable", f"policy {str(path)!r}: {error.strerror}") from error
    if len(content) > MAX_POLICY_BYTES:
        raise PolicyError("policy_unreadable", f"policy {str(path)!r} is over {MAX_POLICY_BYTES} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError("policy_not_toml", f"policy {str(path)!r} isn't UTF-8 text") from error


def _values(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError("policy_not_toml", f"policy {name!r} isn't TOML: {error}") from error


def _parsed(model: type[Model], name: str, text: str) -> Model:
    values = _values(name, text)
    kind = values.get("kind", "platform")
    if kind in _WORDS and kind != _KINDS[model]:
        raise PolicyError("policy_invalid", f"policy {name!r} is {_WORDS[kind]}, not {_WORDS[_KINDS[model]]}")
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise PolicyError("policy_invalid", f"policy {name!r}: {_one_line(error)}") from error


def _one_line(error: ValidationError) -> str:
    parts = []
    for detail in error.errors(include_url=False):
        where = ".".join(str(part) for part in detail["loc"])
        what = (
            "there is no such setting"
            if detail["type"] == "extra_forbidden"
            else detail["msg"].removeprefix("Value error, ")
        )
        parts.append(f"{where}: {what}" if where else what)
    return "; ".join(parts)
