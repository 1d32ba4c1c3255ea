"""The catalogue through restarts, other processes, kills, full disks and damage."""

import errno
import json
import math
import os
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sordino.fingerprints import audio, manifest, video
from sordino.fingerprints.catalogue import Catalogue, CatalogueError
from sordino.fingerprints.index import AudioIndex
from sordino.fingerprints.index_video import VideoIndex
from sordino.fingerprints.model import AudioPrint, AudioQuery, Match, Span, VideoPrint, VideoQuery
from sordino.fingerprints.params import AudioParams, VideoParams
from tests import synth
from tests.synth import RATE

ROOT = Path(__file__).parents[2]
SMALL = AudioParams(max_pair_bands=2)  # a vocabulary of 31 thousand instead of 379 thousand: quick to save
SONG_S = 20.0


def music(seed: int) -> synth.Samples:
    """Songs without long chords: in a catalogue of two, little can be said of those."""
    return synth.music(SONG_S, {1: 3, 2: 6, 3: 11, 4: 13}[seed])


@cache
def song(seed: int) -> AudioPrint:
    return audio.reference_print(music(seed))


@cache
def excerpt(seed: int) -> AudioQuery:
    """Seconds 4 to 14 of the song."""
    return audio.query_print(music(seed)[4 * RATE : 14 * RATE])


def sound(seed: int, params: AudioParams = SMALL) -> AudioPrint:
    """Landmarks drawn at random: nothing to find, but quick to make."""
    rng = np.random.default_rng(seed)
    return AudioPrint(
        params, 4.0, np.sort(rng.integers(0, 190, 80)).astype(np.int32), rng.integers(1, 200, 80).astype(np.int16)
    )


def drawn(seed: int) -> VideoPrint:
    """Landmarks drawn at random: nothing to find, but quick to make."""
    rng = np.random.default_rng(seed)
    times_s, places = np.arange(20) / 2, rng.uniform(0.1, 0.4, (200, 3)).astype(np.float32)
    words = rng.integers(0, 2**63, 200, np.uint64)
    return VideoPrint(VideoParams(), 10.0, 0.5, times_s, times_s, np.arange(0, 201, 10), places, words)


@cache
def frames(seed: int) -> synth.Frames:
    return synth.pictures(10, 100 + seed)


@cache
def picture(seed: int) -> VideoPrint:
    """Ten seconds of film."""
    return video.reference_print(np.arange(20) / 2, frames(seed)[:: synth.FPS // 2], 10.0)


@cache
def view(seed: int) -> VideoQuery:
    """Seconds 2 to 8 of it."""
    return video.query_print(np.arange(12) / 2, frames(seed)[2 * synth.FPS : 8 * synth.FPS : synth.FPS // 2], 6.0)


def found(opened: Catalogue, query: AudioQuery | None, seen: VideoQuery | None = None) -> list[str]:
    return [m.reference_id for m in opened.find(query, seen) if m.log10_false_positive <= -4]


def named_parts(folder: Path) -> list[str]:
    return sorted(p["name"] for p in json.loads((folder / manifest.MANIFEST).read_text())["parts"])


def parts_on_disk(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.glob("part-*"))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "lock"}


def script(program: str, *args: object) -> subprocess.Popen[str]:
    """Start a Python program that has this module's names."""
    head = "import sys\nfrom tests.fingerprints.test_catalogue import *\n"
    command = [sys.executable, "-c", head + textwrap.dedent(program), *map(str, args)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def done(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "catalogue"


@pytest.fixture
def two_songs(folder: Path) -> Path:
    opened = Catalogue.open(folder)
    opened.add("one", song(1), None)
    opened.add("two", song(2), None)
    opened.save()
    return folder


@pytest.fixture
def small(folder: Path) -> Catalogue:
    """A catalogue of `old` and `gone`, with `new` to be added and `gone` to be removed at the next save."""
    opened = Catalogue.open(folder, SMALL)
    opened.add("old", sound(1), picture(1))
    opened.add("gone", sound(2), picture(2))
    opened.save()
    opened.add("new", sound(3), picture(3))
    opened.remove("gone")
    return opened


BEFORE, AFTER = frozenset({"old", "gone"}), frozenset({"old", "new"})


# Adding, removing, finding


def test_what_was_added_is_found_where_it_is(two_songs: Path) -> None:
    (match,) = [m for m in Catalogue.open(two_songs).find(excerpt(2), None) if m.log10_false_positive <= -4]
    assert (match.reference_id, match.track, match.query) == ("two", "audio", Span(0.0, 10.0))
    assert match.reference.start_s == pytest.approx(4, abs=0.15)
    assert match.reference.end_s == pytest.approx(14, abs=0.15)


def test_pictures_are_found_where_they_are(folder: Path) -> None:
    opened = Catalogue.open(folder)
    for k in range(3):
        opened.add(str(k), None, picture(k))
    opened.save()
    (match,) = opened.find(None, view(1))
    assert (match.reference_id, match.track) == ("1", "video")
    assert match.reference.start_s - match.query.start_s == pytest.approx(2, abs=0.3)


def test_prints_come_back_unchanged(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("both", sound(1), picture(1))
    opened.add("sound only", sound(2), None)
    opened.add("pictures only", None, picture(3))
    opened.save()
    (part,) = Catalogue.open(folder, SMALL)._parts.values()
    both, sound_only, pictures_only = (part.prints(k, SMALL, VideoParams()) for k in range(3))
    for got, wanted in ((both.audio, sound(1)), (sound_only.audio, sound(2))):
        np.testing.assert_array_equal(got.frames, wanted.frames)
        np.testing.assert_array_equal(got.bands, wanted.bands)
        assert (got.params, got.duration_s) == (wanted.params, wanted.duration_s)
    for seen, wanted_video in ((both.video, picture(1)), (pictures_only.video, picture(3))):
        np.testing.assert_array_equal(seen.words, wanted_video.words)
        np.testing.assert_array_equal(seen.starts, wanted_video.starts)
        np.testing.assert_array_equal(seen.times_s, wanted_video.times_s)
        np.testing.assert_array_equal(seen.until_s, wanted_video.until_s)
        assert seen.duration_s == wanted_video.duration_s
    assert (len(sound_only.video.times_s), len(pictures_only.audio.frames)) == (0, 0)
    assert [p.reference_id for p in (both, sound_only, pictures_only)] == ["both", "sound only", "pictures only"]


def test_hours_are_those_of_sound_and_of_picture(small: Catalogue) -> None:
    assert small.hours() == pytest.approx((8 / 3600, 20 / 3600))


def test_nothing_is_published_before_it_is_saved(two_songs: Path) -> None:
    opened = Catalogue.open(two_songs)
    opened.add("three", song(3), None)
    opened.remove("one")
    assert opened.reference_ids == {"one", "two"}
    assert found(opened, excerpt(3)) == []
    assert found(opened, excerpt(1)) == ["one"]
    assert Catalogue.open(two_songs).generation == 1
    opened.save()
    assert found(opened, excerpt(3)) == ["three"]
    assert found(opened, excerpt(1)) == []


def test_saving_nothing_writes_nothing(two_songs: Path) -> None:
    before = snapshot(two_songs)
    Catalogue.open(two_songs).save()
    assert snapshot(two_songs) == before


def test_an_empty_catalogue_finds_nothing(folder: Path) -> None:
    assert Catalogue.open(folder).find(excerpt(1), view(1)) == []
    assert Catalogue.open(folder).reference_ids == frozenset()


def test_a_taken_id_is_refused(small: Catalogue) -> None:
    for taken in ("old", "new"):
        with pytest.raises(CatalogueError, match=taken) as refused:
            small.add(taken, sound(9), None)
        assert refused.value.code == "exists"


@pytest.mark.parametrize("saves", [True, False], ids=["save between", "one save"])
def test_what_was_removed_may_come_back_otherwise(two_songs: Path, saves: bool) -> None:
    opened = Catalogue.open(two_songs)
    opened.remove("one")
    if saves:
        opened.save()
    opened.add("one", song(4), None)
    opened.save()
    for again in (opened, Catalogue.open(two_songs)):
        assert again.reference_ids == {"one", "two"}
        assert found(again, excerpt(4)) == ["one"]
        assert found(again, excerpt(1)) == []


def test_removing_what_is_not_there_does_not_stop_it_from_coming(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.remove("one")
    opened.add("one", sound(1), None)
    opened.save()
    assert Catalogue.open(folder, SMALL).reference_ids == {"one"}


def test_adding_and_removing_before_a_save_is_nothing(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("one", sound(1), None)
    opened.remove("one")
    opened.save()
    assert Catalogue.open(folder, SMALL).reference_ids == frozenset()


def test_a_merge_leaves_out_what_was_removed(two_songs: Path) -> None:
    opened = Catalogue.open(two_songs)
    opened.remove("one")
    opened.save()
    assert opened.hours()[0] == pytest.approx(2 * SONG_S / 3600)
    opened.add("three", song(3), None)
    opened.save()
    assert opened.hours()[0] == pytest.approx(2 * SONG_S / 3600)
    assert [e.reference_ids for e in opened._generation.entries] == [("two", "three")]
    assert parts_on_disk(two_songs) == named_parts(two_songs)


def test_a_part_of_which_all_is_removed_goes(two_songs: Path) -> None:
    opened = Catalogue.open(two_songs)
    opened.remove("one")
    opened.save()
    opened.remove("two")
    opened.save()
    assert opened.find(excerpt(1), None) == []
    assert parts_on_disk(two_songs) == []
    assert Catalogue.open(two_songs).reference_ids == frozenset()


def test_one_by_one_or_all_at_once_is_the_same(tmp_path: Path) -> None:
    once, steps = Catalogue.open(tmp_path / "once"), Catalogue.open(tmp_path / "steps")
    for k in range(1, 5):
        once.add(str(k), song(k), None)
        steps.add(str(k), song(k), None)
        steps.save()
    once.save()
    for k in range(1, 5):
        a, b = (next(m for m in c.find(excerpt(k), None)) for c in (once, steps))
        assert (a.reference_id, a.query, a.speed, a.pitch_semitones) == (str(k), b.query, b.speed, b.pitch_semitones)
        assert (b.reference_id, b.reference) == (str(k), a.reference)


def test_the_number_of_parts_grows_as_the_logarithm(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    for k in range(1, 25):
        opened.add(str(k), sound(k), None)
        opened.save()
        assert len(named_parts(folder)) <= 1 + math.log2(k)
    assert opened.reference_ids == {str(k) for k in range(1, 25)}
    assert parts_on_disk(folder) == named_parts(folder)
    assert opened.generation == 24


operations = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "save", "reopen"]), st.integers(0, 5)), min_size=1, max_size=25
)


@given(operations)
@settings(deadline=None, max_examples=20)
def test_a_catalogue_is_a_dictionary(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]) -> None:
    folder = tmp_path_factory.mktemp("catalogue")
    opened = Catalogue.open(folder, SMALL)
    saved: dict[str, int] = {}
    staged: dict[str, int] = {}
    for seed, (what, k) in enumerate(steps):
        if what == "add" and str(k) not in staged:
            opened.add(str(k), sound(seed), None)
            staged[str(k)] = seed
        elif what == "remove":
            opened.remove(str(k))
            staged.pop(str(k), None)
        elif what == "save":
            opened.save()
            saved = dict(staged)
        elif what == "reopen":
            opened = Catalogue.open(folder, SMALL)
            staged = dict(saved)
        assert opened.reference_ids == set(saved)
    again = Catalogue.open(folder, SMALL)
    kept = {p.reference_id: p.audio.frames.tolist() for p in again._prints_of(again._generation.entries)}
    assert kept == {k: sound(seed).frames.tolist() for k, seed in saved.items()}


def test_expected_matches_are_looked_for_first(two_songs: Path) -> None:
    opened = Catalogue.open(two_songs)
    end = audio.query_print(
        synth.mix(
            synth.speech_like(10, 3),
            np.concatenate([music(2)[16 * RATE :], np.zeros(6 * RATE, np.float32)]),
            -12,
        )
    )
    playing = Match("two", "audio", Span(-10, 0), Span(6, 16), 1.0, 0.0, False, None, 20.0, -15.0)
    plain = {m.reference_id: m.log10_false_positive for m in opened.find(end, None)}
    helped = {m.reference_id: m for m in opened.find(end, None, [playing])}
    assert helped["two"].log10_false_positive < plain.get("two", 0.0)
    assert helped["two"].reference.start_s - helped["two"].query.start_s == pytest.approx(16, abs=0.3)


# Other processes


def test_what_another_process_saves_is_seen_at_the_next_find(two_songs: Path) -> None:
    opened = Catalogue.open(two_songs)
    assert found(opened, excerpt(3)) == []
    done(
        script(
            """
            other = Catalogue.open(Path(sys.argv[1]))
            other.add("three", song(3), None)
            other.remove("one")
            other.save()
            """,
            two_songs,
        )
    )
    assert found(opened, excerpt(3)) == ["three"]
    assert found(opened, excerpt(1)) == []
    assert found(opened, excerpt(2)) == ["two"]


def test_maps_outlive_the_merge_of_their_part(two_songs: Path) -> None:
    opened, other = Catalogue.open(two_songs), Catalogue.open(two_songs)
    old = parts_on_disk(two_songs)
    (part,) = opened._parts.values()
    other.add("three", song(3), None)
    other.save()
    assert not set(old) & set(parts_on_disk(two_songs))
    np.testing.assert_array_equal(part.audio.print_of(0, AudioParams()).frames, song(1).frames)
    assert found(opened, excerpt(1)) == ["one"]


ADD_FIVE = """
    opened = Catalogue.open(Path(sys.argv[1]), SMALL)
    print("ready", flush=True)
    sys.stdin.readline()
    for k in range(5):
        opened.add(f"{sys.argv[2]}-{k}", sound(k), drawn(k))
        opened.save()
    """


def test_processes_that_save_at_once_lose_nothing(folder: Path) -> None:
    writers = [script(ADD_FIVE, folder, name) for name in ("a", "b")]
    opened = Catalogue.open(folder, SMALL)
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    seen = [opened.reference_ids]
    while any(writer.poll() is None for writer in writers):  # a reader meanwhile never sees half a generation
        time.sleep(0.01)
        opened.refresh()
        seen.append(opened.reference_ids)
    for writer in writers:
        done(writer)
    assert all(before <= after for before, after in pairwise(seen))
    opened.refresh()
    assert opened.reference_ids == {f"{name}-{k}" for name in ("a", "b") for k in range(5)}
    assert opened.generation == 10
    assert parts_on_disk(folder) == named_parts(folder)


def test_the_first_of_two_who_add_the_same_id_wins(folder: Path) -> None:
    first, second = Catalogue.open(folder, SMALL), Catalogue.open(folder, SMALL)
    first.add("one", sound(1), None)
    second.add("one", sound(2), None)
    first.save()
    second.save()
    (kept,) = second._prints_of(second._generation.entries)
    np.testing.assert_array_equal(kept.audio.frames, sound(1).frames)


# Kills and full disks


KILLED_AT_EVERY_STEP = """
    import shutil, signal
    from sordino.fingerprints import parts
    before, step, last = Path(sys.argv[1]), 0, -1

    def act():
        global last
        last += 1
        if last == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event, args):
        if event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree"}:
            act()
        elif event == "open" and isinstance(args[1], str) and set("wxa+") & set(args[1]):
            act()

    def save(folder):
        opened = Catalogue.open(folder, SMALL)
        opened.add("new", sound(3), picture(3))
        opened.remove("gone")
        real = os.fsync
        os.fsync = lambda descriptor: (act(), real(descriptor))
        sys.addaudithook(audit)
        opened.save()

    parts.build([parts.Prints("", sound(0), drawn(0))], SMALL)  # loads kernels, once for all children
    while True:
        folder = before.with_name(f"killed-{step}")
        shutil.copytree(before, folder)
        child = os.fork()
        if not child:
            save(folder)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            break
        step += 1
    print(step)
    """


def test_a_save_killed_at_any_step_leaves_the_old_or_the_new(small: Catalogue, folder: Path) -> None:
    steps = int(done(script(KILLED_AT_EVERY_STEP, folder)))
    assert steps >= 30  # eleven arrays are opened and synced, the manifest, three folders; then the sweep
    outcomes = []
    for step in range(steps):
        killed = folder.with_name(f"killed-{step}")
        opened = Catalogue.open(killed, SMALL)
        outcomes.append(opened.reference_ids)
        assert "old" in found(opened, None, view(1))
        assert found(opened, None, view(3)) == (["new"] if opened.reference_ids == AFTER else [])
        opened.remove("gone")
        opened.add("later", sound(5), None)
        opened.save()
        assert opened.reference_ids == (outcomes[-1] - {"gone"}) | {"later"}
        assert parts_on_disk(killed) == named_parts(killed)
        assert not list(killed.glob("*.new"))
    switch = outcomes.index(AFTER)
    assert set(outcomes[:switch]) == {BEFORE}
    assert set(outcomes[switch:]) == {AFTER}


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), OSError("512 requested and 0 written")],
    ids=["no space left", "as numpy says it"],
)
def test_a_disk_that_fails_at_any_sync_changes_nothing(
    small: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    real, good = os.fsync, 0  # so many syncs are still good

    def fsync(descriptor: int) -> None:
        nonlocal good
        good -= 1
        if good < 0:
            raise error
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    before = snapshot(folder)
    for step in range(len(FILES) + 2):  # the arrays, the part's folder, the manifest
        good = step
        with pytest.raises(CatalogueError, match=error.strerror or "512 requested") as refused:
            small.save()
        assert refused.value.code == "not_saved"
        assert snapshot(folder) == before
        assert small.reference_ids == BEFORE
    good = len(FILES) + 2  # the catalogue's folder: the new manifest is there, only not yet surely durable
    with pytest.raises(CatalogueError):
        small.save()
    assert Catalogue.open(folder, SMALL).reference_ids == AFTER
    good = 100
    small.save()
    assert small.reference_ids == Catalogue.open(folder, SMALL).reference_ids == AFTER
    assert parts_on_disk(folder) == named_parts(folder)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let this process write no file beyond `size` bytes; what it tries beyond fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("what", "limit", "after"),
    [
        ("add", 0, AFTER),
        ("add", 1000, AFTER),
        ("add", 100_000, AFTER),
        ("remove", 0, {"old"}),
        ("remove", 200, {"old"}),
    ],
    ids=["nothing fits", "some headers", "some files", "no manifest", "half a manifest"],
)
def test_a_full_disk_leaves_the_old_catalogue(
    folder: Path, small: Catalogue, what: str, limit: int, after: set[str]
) -> None:
    if what == "remove":
        small.remove("new")
    before = snapshot(folder)
    for _ in range(2):
        with files_of_at_most(limit), pytest.raises(CatalogueError, match=str(folder)) as refused:
            small.save()
        assert refused.value.code == "not_saved"
        assert "None" not in str(refused.value)
        assert snapshot(folder) == before
        assert small.reference_ids == BEFORE == Catalogue.open(folder, SMALL).reference_ids
        assert found(small, None, view(1)) == ["old"]
    small.save()  # there is room again: what was staged still is
    assert Catalogue.open(folder, SMALL).reference_ids == after
    assert found(Catalogue.open(folder, SMALL), None, view(1)) == ["old"]


def test_leftovers_of_killed_saves_are_swept(small: Catalogue, folder: Path) -> None:
    leftover = folder / "part-0123456789abcdef"
    leftover.mkdir()
    (leftover / "audio_starts.npy").write_bytes(b"half")
    (folder / f"{manifest.MANIFEST}.new").write_text("{")
    assert Catalogue.open(folder, SMALL).reference_ids == BEFORE
    small.save()
    assert parts_on_disk(folder) == named_parts(folder)
    assert {p.name for p in folder.iterdir()} == {manifest.MANIFEST, "lock", *named_parts(folder)}


# Refusals


def refusal(folder: Path, params: AudioParams = SMALL) -> CatalogueError:
    with pytest.raises(CatalogueError) as refused:
        Catalogue.open(folder, params)
    assert "\n" not in str(refused.value)
    return refused.value


def test_other_parameters_are_refused(small: Catalogue, folder: Path) -> None:
    other = AudioParams(max_pair_bands=3)
    assert refusal(folder, other).code == "other_parameters"
    with pytest.raises(CatalogueError) as refused:
        Catalogue.open(folder, SMALL, VideoParams(query_landmarks=51))
    assert refused.value.code == "other_parameters"
    query = AudioQuery(sound(1, other), np.zeros((0, other.n_bands), np.float32))
    strange = replace(picture(1), params=VideoParams(version=1))
    asked = replace(view(1), landmarks=replace(view(1).landmarks, params=VideoParams(version=1)))
    for use in (
        lambda: small.add("x", sound(1, other), None),
        lambda: small.add("x", None, strange),
        lambda: small.find(query, None),
        lambda: small.find(None, asked),
    ):
        with pytest.raises(CatalogueError) as refused:
            use()
        assert refused.value.code == "other_parameters"


@pytest.mark.parametrize(("other", "code"), [(manifest.FORMAT + 1, "newer"), (manifest.FORMAT - 1, "older")])
def test_another_format_is_refused(small: Catalogue, folder: Path, other: int, code: str) -> None:
    path = folder / manifest.MANIFEST
    path.write_text(json.dumps({"format": other, "whatever": "is different"}))
    assert refusal(folder).code == code
    for use in (small.save, lambda: small.find(None, view(1))):
        with pytest.raises(CatalogueError) as refused:
            use()
        assert refused.value.code == code


def test_a_manifest_of_another_format_is_left_as_it_is(small: Catalogue, folder: Path) -> None:
    path = folder / manifest.MANIFEST
    old = path.read_text().replace(f'"format": {manifest.FORMAT}', '"format": 1')
    path.write_text(old)
    error = refusal(folder)
    assert error.code == "older"
    assert "register the works again" in str(error)
    with pytest.raises(CatalogueError):
        small.save()
    assert path.read_text() == old
    assert parts_on_disk(folder) == named_parts(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"not JSON", b"[]", b"{}", b"null", b"\xff\xfe\x00", b'{"format": "1"}', b'{"format": 3, "checksum": ""}'],
)
def test_a_manifest_that_is_none_is_refused(small: Catalogue, folder: Path, content: bytes) -> None:
    (folder / manifest.MANIFEST).write_bytes(content)
    error = refusal(folder)
    assert error.code == "damaged"
    assert manifest.MANIFEST in str(error)
    with pytest.raises(CatalogueError):
        small.find(None, view(1))


def test_a_changed_byte_anywhere_in_the_manifest_is_refused(small: Catalogue, folder: Path) -> None:
    path = folder / manifest.MANIFEST
    content = path.read_bytes()
    for k in range(len(content)):
        path.write_bytes(content[:k] + bytes([content[k] ^ 1]) + content[k + 1 :])
        assert refusal(folder).code in {"damaged", "newer", "older"}
    path.write_bytes(content)
    assert Catalogue.open(folder, SMALL).reference_ids == BEFORE


FILES = [f"{kind}_{name}.npy" for kind, table in (("audio", AudioIndex), ("video", VideoIndex))
         for name in table.__dataclass_fields__]  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_in_any_array_is_refused(small: Catalogue, folder: Path, name: str) -> None:
    (path,) = folder.glob(f"part-*/{name}")
    content = path.read_bytes()
    for k in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:k] + bytes([content[k] ^ 16]) + content[k + 1 :])
        error = refusal(folder)
        assert error.code == "damaged"
        assert name in str(error)
    path.write_bytes(content[:-1])
    assert refusal(folder).code == "damaged"
    path.unlink()
    assert refusal(folder).code == "damaged"
    path.mkdir()
    assert refusal(folder).code == "unreadable"


def test_the_files_of_a_part_are_those_tested(small: Catalogue, folder: Path) -> None:
    assert sorted(p.name for p in folder.glob("part-*/*")) == sorted(FILES)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file").code == "unreadable"
    assert refusal(tmp_path / "file" / "below").code == "unreadable"


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write into a folder, from root, too: by being nobody meanwhile."""
    root = os.geteuid() == 0
    folder.chmod(0o555)
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o755)


def test_a_folder_that_is_read_only_can_be_read(
    small: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(folder)
    monkeypatch.chdir(folder)  # nobody may not pass the folders above, which are those of who runs the tests
    with read_only(folder):
        opened = Catalogue.open(Path(), SMALL)
        opened.add("new", sound(3), picture(3))
        with pytest.raises(CatalogueError) as refused:
            opened.save()
        assert refused.value.code == "not_saved"
        assert opened.reference_ids == BEFORE
        assert found(opened, None, view(1)) == ["old"]
    assert snapshot(folder) == before


def test_a_manifest_that_may_not_be_read_is_refused(
    small: Catalogue, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / manifest.MANIFEST).chmod(0o600 if os.geteuid() == 0 else 0)
    with read_only(folder):
        assert refusal(Path()).code == "unreadable"
