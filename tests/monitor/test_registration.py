"""Registering: what is kept, what is said of it, and what is left of it where it fails."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import NoReturn

import chromaprint
import pytest

from sordino.fingerprints.catalogue import Catalogue, CatalogueError
from sordino.monitor import settings
from sordino.monitor.home import Home, opened
from sordino.monitor.registration import Ineligible, Registered, register, withdraw
from sordino.monitor.store import Store, StoreError
from sordino.monitor.works import Ownership, Work
from sordino.pipelines.media import MediaError
from tests import synth
from tests.sample_home import Sources, part, under


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Home]:
    with opened(settings.load(home=tmp_path / "home")) as home:
        yield home


def work(name: str, holder: str = "Blue Label", kind: str = "recording") -> Work:
    return Work(work_id=f"W-{name}", title=name, kind=kind, owners=(Ownership(holder),))


def add(home: Home, path: Path, name: str, holder: str = "Blue Label") -> Registered:
    return register(home, path, work(name, holder), kind_is_given=False)


def kept(home: Home) -> set[str]:
    return {path.name for path in (home.settings.home / "media").iterdir()}


def test_the_media_is_kept_under_its_sha256(empty: Home, sources: Sources) -> None:
    path = sources.folder / "song.wav"
    reference = add(empty, path, "a").reference
    content = path.read_bytes()
    assert reference.sha256 == hashlib.sha256(content).hexdigest()
    assert (empty.settings.home / "media" / reference.sha256).read_bytes() == content
    assert kept(empty) == {reference.sha256}
    assert reference.path == str(path)
    assert empty.store.work("W-a").references == (reference,)
    assert empty.catalogue.reference_ids == {reference.reference_id}


def test_the_record_has_an_acoustid_print(empty: Home, sources: Sources) -> None:
    reference = add(empty, sources.folder / "song.wav", "a").reference
    assert reference.chromaprint is not None
    items, algorithm = chromaprint.decode_fingerprint(reference.chromaprint.encode())
    assert algorithm == 1  # AcoustID's
    assert len(items) == pytest.approx(40 / 0.1238, rel=0.1)
    film = add(empty, sources.folder / "film.mp4", "film").reference
    assert film.chromaprint is None


@pytest.mark.parametrize(
    ("name", "kind", "given", "recorded"),
    [
        ("song.wav", "recording", False, "recording"),
        ("film.mp4", "recording", False, "film"),
        ("film.mp4", "sport", True, "sport"),
        ("song.wav", "composition", True, "composition"),
    ],
)
def test_the_kind_is_by_the_media_unless_it_is_given(
    empty: Home, sources: Sources, name: str, kind: str, given: bool, recorded: str
) -> None:
    register(empty, sources.folder / name, work("a", kind=kind), kind_is_given=given)
    assert empty.store.work("W-a").kind == recorded


def test_the_same_file_of_the_same_holder_is_registered_once(empty: Home, sources: Sources, tmp_path: Path) -> None:
    first = add(empty, sources.folder / "song.wav", "a")
    copy = tmp_path / "copy.wav"
    copy.write_bytes((sources.folder / "song.wav").read_bytes())
    again = add(empty, copy, "b")
    assert again.reference == first.reference
    (warning,) = again.warnings
    assert "already registered: the same file is work W-a" in warning
    assert [one.work_id for one in empty.store.works()] == ["W-a"]
    assert len(empty.catalogue.reference_ids) == 1


def test_two_who_register_the_same_file_at_once_get_one_work(empty: Home, sources: Sources) -> None:
    at_once = Barrier(3)

    def registered(name: str) -> Registered:
        with opened(empty.settings) as home:  # as another process has it
            at_once.wait()
            return add(home, sources.folder / "song.wav", name)

    with ThreadPoolExecutor() as pool:
        results = list(pool.map(registered, "abc"))
    assert len({one.reference.reference_id for one in results}) == 1
    assert len(list(empty.store.works())) == 1
    assert len(Catalogue.open(empty.settings.home / "catalogue").reference_ids) == 1
    assert sorted(len(one.warnings) for one in results) == [0, 1, 1]


def test_the_same_file_of_another_holder_is_a_work_of_its_own(empty: Home, sources: Sources) -> None:
    first = add(empty, sources.folder / "song.wav", "a")
    other = add(empty, sources.folder / "song.wav", "b", holder="Red Label")
    assert other.reference.reference_id != first.reference.reference_id
    (warning,) = other.warnings
    assert "already registered as W-a (a; Blue Label)" in warning
    assert kept(empty) == {first.reference.sha256}


@pytest.mark.parametrize(
    "encoded",
    [("a.mp3", "-b:a", "64k"), ("a.m4a", "-b:a", "64k"), ("a.ogg",), ("quiet.flac", "-af", "volume=-12dB")],
    ids=lambda options: options[0],
)
def test_the_same_recording_encoded_anew_is_recognised(
    empty: Home, sources: Sources, tmp_path: Path, encoded: tuple[str, ...]
) -> None:
    add(empty, sources.folder / "song.wav", "a")
    again = tmp_path / encoded[0]
    synth.ffmpeg("-i", sources.folder / "song.wav", *encoded[1:], again)
    registered = add(empty, again, "b", holder="Red Label")
    (warning,) = registered.warnings
    assert "this recording is already registered as W-a (a; Blue Label)" in warning
    assert {one.work_id for one in empty.store.works()} == {"W-a", "W-b"}


def test_another_recording_is_not_taken_for_it(empty: Home, sources: Sources, tmp_path: Path) -> None:
    add(empty, sources.folder / "song.wav", "a")
    assert add(empty, sources.folder / "other song.wav", "b").warnings == ()
    cover = synth.wav(tmp_path / "dub.wav", under(synth.speech_like(40, 2), sources.song, 0, -6))
    assert add(empty, cover, "c").warnings == ()  # speech over the song is not that recording


def test_what_was_withdrawn_may_be_registered_again(empty: Home, sources: Sources) -> None:
    first = add(empty, sources.folder / "song.wav", "a").reference
    withdraw(empty, "W-a")
    assert empty.store.work("W-a").withdrawn
    assert empty.catalogue.reference_ids == set()
    again = add(empty, sources.folder / "song.wav", "b")
    assert again.warnings == ()
    assert again.reference.reference_id != first.reference_id
    assert empty.catalogue.reference_ids == {again.reference.reference_id}


def test_part_of_the_media_may_be_nothing_to_recognise(empty: Home, sources: Sources, tmp_path: Path) -> None:
    silent = synth.clip(tmp_path / "silent.mp4", 0 * sources.song[: 10 * synth.RATE], sources.film[:100])
    (warning,) = add(empty, silent, "a").warnings
    assert "sound is too short or too quiet" in warning
    audible = synth.clip(tmp_path / "slide.mp4", part(sources.song, 0, 10), 0 * sources.film[:100])
    registered = add(empty, audible, "b")
    assert [said for said in registered.warnings if "picture is too short or too flat" in said]


def test_a_jingle_has_no_chromaprint_but_is_registered(empty: Home, sources: Sources, tmp_path: Path) -> None:
    jingle = synth.wav(tmp_path / "jingle.wav", part(sources.song, 5, 7.5))
    assert add(empty, jingle, "a").reference.chromaprint is None


# --- failures: nothing is left --------------------------------------------------------------------------------------


def nothing_is_left(home: Home) -> None:
    assert kept(home) == set()
    assert list(home.store.works()) == []
    assert Catalogue.open(home.settings.home / "catalogue").reference_ids == set()


def test_silence_is_ineligible(empty: Home, sources: Sources, tmp_path: Path) -> None:
    silence = synth.wav(tmp_path / "silence.wav", 0 * sources.song)
    with pytest.raises(Ineligible, match=r"silence\.wav: 40\.0 s of sound") as caught:
        add(empty, silence, "a")
    assert caught.value.code == "nothing_to_recognise"
    nothing_is_left(empty)


def test_what_is_no_media_is_not_kept(empty: Home, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"letter\.mp4"):
        add(empty, synth.text(tmp_path / "letter.mp4"), "a")
    nothing_is_left(empty)


def test_a_file_that_is_not_there(empty: Home, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        add(empty, tmp_path / "missing.wav", "a")


def test_bytes_that_another_holder_registered_are_kept_when_mine_fail(
    empty: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(empty, sources.folder / "song.wav", "a").reference

    def full(catalogue: Catalogue) -> NoReturn:
        raise CatalogueError("not_saved", "No space left on device")

    monkeypatch.setattr(Catalogue, "save", full)
    with pytest.raises(CatalogueError):
        add(empty, sources.folder / "song.wav", "b", holder="Red Label")
    assert kept(empty) == {first.sha256}


@pytest.mark.parametrize("failing", ["catalogue", "store"])
def test_a_registration_that_can_not_be_saved_leaves_nothing_and_the_next_succeeds(
    empty: Home, sources: Sources, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    with monkeypatch.context() as broken:
        if failing == "catalogue":

            def not_saved(catalogue: Catalogue) -> NoReturn:
                raise CatalogueError("not_saved", "No space left on device")

            broken.setattr(Catalogue, "save", not_saved)
        else:

            def not_added(store: Store, work: Work) -> NoReturn:
                raise StoreError("database_full", "database or disk is full")

            broken.setattr(Store, "add_work", not_added)
        with pytest.raises((CatalogueError, StoreError)):
            add(empty, sources.folder / "song.wav", "a")
    assert kept(empty) == set()
    assert list(empty.store.works()) == []
    other = add(empty, sources.folder / "other song.wav", "b").reference
    assert Catalogue.open(empty.settings.home / "catalogue").reference_ids == {other.reference_id}
    song = add(empty, sources.folder / "song.wav", "a").reference
    assert empty.catalogue.reference_ids == {other.reference_id, song.reference_id}
