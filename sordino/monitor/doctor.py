"""Says what is present on this machine, what is missing and how to get it."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sordino
from sordino.fingerprints.catalogue import CatalogueError
from sordino.monitor import settings
from sordino.monitor.home import Home, opened
from sordino.monitor.policy import PolicyError
from sordino.monitor.settings import SettingsError
from sordino.monitor.store.errors import StoreError
from sordino.pipelines import acoustid, voice
from sordino.pipelines.media import DecoderMissing, ffmpeg_version

LOW_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what it found; where it is not ok, `detail` says how to mend it."""

    check: str
    ok: bool
    detail: str

    def as_json(self) -> dict[str, Any]:
        """Return the line that the contract promises."""
        return asdict(self)


def examine(home: Path | None) -> Iterator[Finding]:
    """Check the machine first, then the home folder."""
    yield Finding("sordino", True, f"{sordino.__version__} on Python {sys.version.split()[0]}")
    yield _checked("ffmpeg", lambda: ffmpeg_version())
    yield _checked("chromaprint", _chromaprint)
    yield _checked("voice", _voice)
    yield _checked("settings", lambda: f"home is {settings.load(home=home).home}")
    try:
        with opened(settings.load(home=home)) as opened_home:
            yield from _home(opened_home)
    except (SettingsError, PolicyError, StoreError, CatalogueError, OSError) as error:
        yield Finding("home", False, str(error))


def _home(home: Home) -> Iterator[Finding]:
    registered = {r.reference_id for r in home.store.references()}
    found = home.catalogue.reference_ids
    sound_h, picture_h = home.catalogue.hours()
    yield Finding("database", True, f"{home.settings.store_url.split(':')[0]}, {len(registered)} references")
    yield Finding(
        "catalogue",
        True,
        f"generation {home.catalogue.generation}, {len(found)} references, {sound_h:.2f} h of sound, "
        f"{picture_h:.2f} h of picture",
    )
    lost = registered - found
    yield Finding(
        "consistency",
        not lost,
        f"{len(lost)} references of the database are not in the catalogue: withdraw and register their works again"
        if lost
        else f"every reference is in the catalogue ({len(found - registered)} prints without a work, which do nothing)",
    )
    free = shutil.disk_usage(home.settings.home).free
    yield Finding("disk", free > LOW_BYTES, f"{free / 1e9:.1f} GB free in {home.settings.home}")
    yield Finding("policy", True, home.policy.version_name)
    yield _policies(home)
    prefixes = ", ".join(home.settings.media_prefixes) or "none: segments' media must be inline"
    yield Finding("media prefixes", True, prefixes)


def _policies(home: Home) -> Finding:
    """Name the rights holders' policies that works go by and that aren't there."""
    works = list(home.store.works())
    names = {owner.policy or work.policy for work in works for owner in work.owners} | {work.policy for work in works}
    gone = sorted(name for name in names if name is not None and name not in home.holders)
    there = f"of rights holders: {', '.join(sorted(home.holders))}"
    lost = f"works go by {', '.join(gone)}, which isn't there: a human decides on their uses"
    return Finding("holders' policies", not gone, lost if gone else there)


def _chromaprint() -> str:
    rng = np.random.default_rng(0)
    acoustid.acoustid_print(rng.integers(-9999, 9999, 16_000 * 5).astype(np.int16), 16_000)
    return "present"


def _voice() -> str:
    voice.voice_spans(np.zeros(voice.RATE, np.int16), voice.RATE)
    return "present"


def _checked(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except (DecoderMissing, acoustid.AcoustidMissing, voice.VoiceMissing, SettingsError) as error:
        return Finding(name, False, str(error))
