"""One folder holds the embedded database, the catalogue and the registered media; here they are opened together."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sordino.fingerprints.catalogue import Catalogue
from sordino.monitor import policy_files
from sordino.monitor.holders import HolderPolicy
from sordino.monitor.policy import Policy, PolicyError
from sordino.monitor.settings import Settings
from sordino.monitor.store.store import Store
from sordino.pipelines.media import Limits

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Home:
    """Everything that an answer needs, opened."""

    settings: Settings
    store: Store
    catalogue: Catalogue
    policy: Policy
    holders: Mapping[str, HolderPolicy]  # by name

    def check_holder_policy(self, name: str | None) -> None:
        """Raise PolicyError `policy_not_found` where a work is to go by a policy that isn't there."""
        if name is not None and name not in self.holders:
            there = ", ".join(sorted(self.holders))
            raise PolicyError("policy_not_found", f"no policy of a rights holder {name!r}; there are: {there}")

    @property
    def segment_limits(self) -> Limits:
        """What a segment or short video may cost; works may be as long as a film."""
        return Limits(duration_s=self.settings.max_segment_s)


@contextmanager
def opened(settings: Settings) -> Iterator[Home]:
    """Open the home folder, which is made if it is not there; raises StoreError, CatalogueError, PolicyError."""
    rules = policy_files.load(settings.policy)
    holders = policy_files.holders(settings.policies_folder)
    if settings.regime is not None:
        rules = rules.model_copy(update={"regime": settings.regime})
    catalogue = Catalogue.open(settings.home / "catalogue")
    with Store.open(settings.store_url) as store:
        yield Home(settings, store, catalogue, rules, holders)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Let one process at a time change what is registered; the system gives the lock back when a process dies."""
    with (home / "registering.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def keep_media(home: Path, source: Path) -> str:
    """
    Copy a file into the media store, where its name is its content's SHA-256, and return that.

    Durable when it returns; a file that is there already is not written again. Raises OSError.
    """
    folder = home / "media"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as media, tempfile.NamedTemporaryFile(dir=folder, prefix=".new-", delete=False) as copy:
        try:
            while chunk := media.read(CHUNK_BYTES):
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
            Path(copy.name).replace(folder / digest.hexdigest())
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(copy.name)
            raise
    return digest.hexdigest()


def forget_media(home: Path, sha256: str) -> None:
    """Delete a file from the media store, as where it turned out that it can't be fingerprinted."""
    (home / "media" / sha256).unlink(missing_ok=True)
