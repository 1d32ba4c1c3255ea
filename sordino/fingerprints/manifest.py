"""
The manifest of a catalogue: which parts it has, what they must be, and which of their references are there.

It is replaced in one step, so a reader sees a whole generation or the one before.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from sordino.fingerprints.parts import CatalogueError

FORMAT = 3
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A part as the manifest names it; `removed` are those of its references that wait to be left out of a merge.

    References that are `hot` and those that are not are never in one part.
    """

    name: str
    reference_ids: tuple[str, ...]
    checksums: dict[str, str]
    removed: frozenset[str] = frozenset()
    hot: bool = False

    @property
    def present(self) -> frozenset[str]:
        """The references that are there."""
        return frozenset(self.reference_ids) - self.removed

    def without(self, reference_ids: Set[str]) -> "Entry":
        """Return the same with some references removed."""
        return replace(self, removed=self.removed | (reference_ids & frozenset(self.reference_ids)))


@dataclass(frozen=True)
class Generation:
    """What one save published."""

    number: int = 0
    entries: tuple[Entry, ...] = ()

    @cached_property
    def reference_ids(self) -> frozenset[str]:
        """The references that are there, in any part."""
        return frozenset(r for e in self.entries for r in e.present)


def state(folder: Path) -> tuple[int, int, int] | None:
    """Return what changes with every save: the manifest's inode, size and time; None where there is none yet."""
    path = folder / MANIFEST
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CatalogueError("unreadable", f"{path}: {error.strerror}") from error
    return status.st_ino, status.st_size, status.st_mtime_ns


def read(folder: Path, stamp: str) -> Generation:
    """Read the manifest of a catalogue with this stamp of its parameters; raises CatalogueError as `Catalogue.open`."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        if manifest["format"] > FORMAT:
            raise CatalogueError("newer", f"{path}: written by a newer version of Sordino")
        if manifest["format"] < FORMAT:
            raise CatalogueError("older", f"{path}: its prints are an older version's; register the works again")
        if manifest.pop("checksum") != _checksum(manifest):
            raise CatalogueError("damaged", f"{path}: the checksum is wrong; restore the file from a copy")
        if manifest["stamp"] != stamp:
            raise CatalogueError("other_parameters", f"{path}: its prints have other parameters than these")
        return Generation(int(manifest["generation"]), tuple(_entry(e) for e in manifest["parts"]))
    except OSError as error:
        raise CatalogueError("unreadable", f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CatalogueError("damaged", f"{path}: not a catalogue's manifest ({error})") from error


def _entry(e: Mapping[str, Any]) -> Entry:
    return Entry(
        e["name"],
        tuple(e["reference_ids"]),
        dict(e["checksums"]),
        frozenset(e["removed"]),
        bool(e.get("hot", False)),  # earlier versions know of none
    )


def write(folder: Path, generation: Generation, stamp: str) -> None:
    """Replace the manifest; raises OSError, and the one before is then untouched."""
    manifest = {
        "format": FORMAT,
        "stamp": stamp,
        "generation": generation.number,
        "parts": [asdict(e) | {"removed": sorted(e.removed)} for e in generation.entries],
    }
    new = folder / f"{MANIFEST}.new"
    try:
        with new.open("w") as file:
            json.dump(manifest | {"checksum": _checksum(manifest)}, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(folder / MANIFEST)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(manifest, sort_keys=True).encode(), digest_size=16).hexdigest()
