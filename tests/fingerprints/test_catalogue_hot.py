"""Hot references: kept apart, through merges, removals and restarts; and references replaced while others ask."""

import json
from pathlib import Path

import numpy as np
import pytest

from sordino.fingerprints import finding, manifest
from sordino.fingerprints.catalogue import Catalogue, CatalogueError
from sordino.fingerprints.model import Match, Span
from tests.fingerprints.test_catalogue import SMALL, done, drawn, excerpt, found, picture, script, song, sound, view


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "catalogue"


def kinds(folder: Path) -> list[tuple[bool, set[str]]]:
    """Whether each part is hot, and what is in it."""
    named = json.loads((folder / manifest.MANIFEST).read_text())["parts"]
    return [(part["hot"], set(part["reference_ids"]) - set(part["removed"])) for part in named]


def test_hot_references_merge_with_hot_ones_only(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    for k in range(12):
        opened.add(f"hot {k}" if k % 3 == 0 else f"other {k}", sound(k), None, hot=k % 3 == 0)
        opened.save()
    parts = kinds(folder)
    assert len(parts) < 8
    for hot, names in parts:
        assert all(name.startswith("hot" if hot else "other") for name in names)
    again = Catalogue.open(folder, SMALL)
    assert len(again.reference_ids) == 12
    assert {name for name in again.reference_ids if again.is_hot(name)} == {"hot 0", "hot 3", "hot 6", "hot 9"}
    assert not again.is_hot("nothing")


def test_hot_references_are_found_among_others(folder: Path) -> None:
    opened = Catalogue.open(folder)
    opened.add("one", song(1), picture(1), hot=True)
    opened.add("two", song(2), picture(2))
    opened.save()
    assert found(opened, excerpt(1), view(1)) == ["one", "one"]
    assert found(opened, excerpt(2), view(2)) == ["two", "two"]


def test_hours_of_hot_references_tell_whether_there_are_pictures_to_look_for(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("film", None, picture(1))
    opened.add("match", sound(1), None, hot=True)
    opened.save()
    assert opened.hot_hours() == pytest.approx((4 / 3600, 0.0))
    opened.add("feed", None, drawn(2), hot=True)
    opened.save()
    assert opened.hot_hours()[1] == pytest.approx(10 / 3600)
    assert opened.hours()[1] == pytest.approx(20 / 3600)


def test_a_reference_becomes_hot_and_cools_down_in_one_step(folder: Path) -> None:
    opened, reader = Catalogue.open(folder, SMALL), Catalogue.open(folder, SMALL)
    opened.add("film", sound(1), picture(1))
    opened.add("other", sound(2), picture(2))
    opened.save()
    for hot in (True, False):
        prints = opened.prints("film")
        opened.remove("film")
        opened.add("film", prints.audio, prints.video, hot=hot)
        opened.save()
        assert found(reader, None, view(1)) == ["film"]
        assert reader.is_hot("film") == hot
        assert not reader.is_hot("other")
        assert reader.reference_ids == {"film", "other"}


def test_what_cooled_down_while_it_played_is_expected_to_play_on_where_it_is_now(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    for name, seed in (("film", 1), ("feed", 2)):
        opened.add(name, sound(seed), None, hot=True)
    opened.save()
    opened.remove("film")
    opened.add("film", sound(1), None)
    opened.save()
    assert kinds(folder) == [(False, {"film"}), (True, {"feed"})]
    playing = Match("film", "audio", Span(-4, 0), Span(0, 4), 1.0, 0.0, False, None, 9.0, -9.0)
    (pose,) = finding._poses(opened._there(), [playing], SMALL)
    assert pose.reference == 0


def test_what_is_stored_of_a_reference_comes_back(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("both", sound(1), drawn(1), hot=True)
    opened.add("sound", sound(2), None)
    opened.save()
    prints = Catalogue.open(folder, SMALL).prints("both")
    assert np.array_equal(prints.audio.frames, sound(1).frames)
    assert np.array_equal(prints.audio.bands, sound(1).bands)
    assert np.array_equal(prints.video.words, drawn(1).words)
    assert prints.video.times_s == pytest.approx(drawn(1).times_s)
    assert opened.prints("sound").video.duration_s == 0
    opened.remove("both")
    opened.save()
    with pytest.raises(CatalogueError) as caught:
        opened.prints("both")
    assert caught.value.code == "not_found"


def test_a_catalogue_of_an_earlier_version_has_none_that_are_hot(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("old", sound(1), None, hot=True)
    opened.save()
    said = json.loads((folder / manifest.MANIFEST).read_text())
    del said["checksum"]
    for part in said["parts"]:
        del part["hot"]
    whole = said | {"checksum": manifest._checksum(said)}
    (folder / manifest.MANIFEST).write_text(json.dumps(whole))
    again = Catalogue.open(folder, SMALL)
    assert again.reference_ids == {"old"}
    assert not again.is_hot("old")


REPLACES = """
    opened = Catalogue.open(Path(sys.argv[1]), SMALL)
    print("ready", flush=True)
    for n in range(int(sys.argv[2]), int(sys.argv[3])):
        opened.remove("feed")
        opened.add("feed", sound(n), picture(1), hot=True)
        opened.save()
        print(n, flush=True)
    """

ASKS = """
    opened = Catalogue.open(Path(sys.argv[1]), SMALL)
    print("ready", flush=True)
    generations = set()
    while opened.generation < int(sys.argv[2]):
        assert sorted(found(opened, None, view(1))) == ["feed", "old"]
        assert len(opened.prints("feed").audio.frames) == 80
        generations.add(opened.generation)
    print(len(generations))
    """


def test_who_asks_while_a_reference_is_replaced_always_finds_it(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("old", sound(0), picture(1))
    opened.add("feed", sound(1), picture(1), hot=True)
    opened.save()
    asking = script(ASKS, folder, 26)
    assert asking.stdout is not None
    assert asking.stdout.readline() == "ready\n"
    done(script(REPLACES, folder, 2, 27))
    assert int(done(asking)) > 2
    assert opened.refresh()
    assert opened.prints("feed").audio.frames.tolist() == sound(26).frames.tolist()


def test_replacing_killed_at_any_time_leaves_the_former_or_the_new_one(folder: Path) -> None:
    opened = Catalogue.open(folder, SMALL)
    opened.add("old", sound(0), picture(1))
    opened.add("feed", sound(1), picture(1), hot=True)
    opened.save()
    said = 1
    for round_ in range(4):
        replacing = script(REPLACES, folder, said + 1, 1000)
        assert replacing.stdout is not None
        assert replacing.stdout.readline() == "ready\n"
        for _ in range(round_ + 1):
            said = int(replacing.stdout.readline())
        replacing.kill()
        said = max([said, *map(int, replacing.communicate()[0].split())])
        there = Catalogue.open(folder, SMALL)
        assert there.reference_ids == {"feed", "old"}
        assert there.is_hot("feed")
        now = there.prints("feed").audio.frames.tolist()
        assert now in (sound(said).frames.tolist(), sound(said + 1).frames.tolist())
        said += now == sound(said + 1).frames.tolist()
