"""What the picture benchmark plants lies where it says: regions, places, spans, in pictures and in files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import changes, distractors, pictures, sheets, unrelated, video_peers
from benchmarks.clips import ROWS, UPSIDE_DOWN
from benchmarks.pictures import Backdrop, Change, Picture, moved
from benchmarks.rendering import FILLER_S, Clip, Row, Video, render
from sordino.fingerprints.model import Region, Span
from sordino.pipelines.media import Frame, decode
from tests import synth

SIZE = (640, 360)
GREY = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
BACKDROPS = [Backdrop(name, [np.full((90, 120, 3), level, np.uint8)]) for name, level in (("dark", 30), ("pale", 200))]


def made(row: Row, k: int, size: pictures.Size = SIZE) -> Change:
    return row.make(size, np.random.default_rng(k), BACKDROPS)


def difference(change: Change, one: Picture, other: Picture) -> NDArray[np.float64]:
    """Return by how much the copies of two pictures differ, from 0 to 1."""
    a, b = (change.draw(picture.copy(), 5).astype(float) for picture in (one, other))
    differ = np.abs(a - b).max(axis=2)
    return np.asarray(differ / differ.max())


@pytest.mark.parametrize("k", range(3))
@pytest.mark.parametrize("row", [*ROWS, UPSIDE_DOWN], ids=lambda row: row.name)
def test_a_marker_lands_where_the_change_says(row: Row, k: int) -> None:
    change = made(row, k)
    seen = 0
    for x, y in ((320, 180), (300, 120), (340, 240), (250, 180), (390, 180), (200, 150), (440, 150)):
        there_x, there_y = moved(np.array([[x, y]], float), change.place)[0]
        left, top, right, bottom = change.visible
        if not (left + 9 < there_x < right - 9 and top + 9 < there_y < bottom - 9):
            continue  # cropped off
        seen += 1
        marked = cv2.circle(GREY.copy(), (x, y), 6, (250, 250, 250), -1)
        differ = difference(change, GREY, np.asarray(marked, np.uint8)) > 0.5
        ys, xs = np.nonzero(differ)
        assert (xs.mean(), ys.mean()) == (pytest.approx(there_x, abs=1.5), pytest.approx(there_y, abs=1.5))
    assert seen >= 2


@pytest.mark.parametrize("k", range(3))
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_region_is_what_shows_of_the_picture(row: Row, k: int) -> None:
    change = made(row, k)
    rows, columns = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    squares = np.repeat((((rows // 8 + columns // 8) % 2) * 180 + 40)[:, :, None], 3, axis=2).astype(np.uint8)
    differ = difference(change, squares, (np.roll(squares, 8, axis=1))) > 0.4
    width, height = change.size
    shows = np.nonzero(differ.any(axis=0))[0], np.nonzero(differ.any(axis=1))[0]
    seen = (shows[0][0] / width, shows[1][0] / height, (shows[0][-1] + 1) / width, (shows[1][-1] + 1) / height)
    region = change.region
    told = (region.x, region.y, region.x + region.w, region.y + region.h)
    assert seen == pytest.approx(told, abs=0.02)


def test_cropped_inside_a_border_the_uncut_picture_is_larger_than_what_shows() -> None:
    change = changes.crop(0.8, middle=True)(SIZE, np.random.default_rng(0), BACKDROPS)
    assert change.region == change.uncut == pictures.WHOLE
    framed = change.then(changes.border(SIZE, np.random.default_rng(0), BACKDROPS))
    assert framed.region.w * framed.region.h == pytest.approx(0.8**2 * 1.0, abs=0.2)
    assert framed.uncut.w * framed.uncut.h > 1.2 * framed.region.w * framed.region.h


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_change_is_drawn_from_its_seed_and_fits_video(row: Row) -> None:
    one, again = made(row, 1), made(row, 1)
    assert np.array_equal(one.draw(GREY.copy(), 3), again.draw(GREY.copy(), 3))
    assert one.parameters == again.parameters
    for size in (SIZE, (360, 360), (960, 720)):
        change = made(row, 2, size)
        picture = change.draw(np.full((size[1], size[0], 3), 99, np.uint8), 0)
        assert picture.shape[1::-1] == change.size
        assert change.size[0] % 2 == change.size[1] % 2 == 0


def test_rows_have_their_names_and_only_mirrors_are_mirrored() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS) == 20
    assert {row.name for row in ROWS if made(row, 0).mirrored} == {"mirror", "several at once"}


def test_a_crop_off_centre_is_off_centre() -> None:
    for k in range(20):
        change = changes.crop(0.65)(SIZE, np.random.default_rng(k), BACKDROPS)
        x, y = (float(change.parameters[f"crop_{side}"]) for side in "xy")
        assert max(abs(2 * x / 0.35 - 1), abs(2 * y / 0.35 - 1)) >= 0.49


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Video:
    return Video.of(synth.video(tmp_path_factory.mktemp("film") / "film.mp4", 9.0, 1))


@pytest.mark.parametrize("name", ["none", "speed 1.25", "8 fps"])
def test_a_file_shows_the_clip_when_the_truth_says(name: str, film: Video, tmp_path: Path) -> None:
    row = next(row for row in ROWS if row.name == name)
    clip = Clip(film, Span(2.5, 7.0))
    truth, parameters = render(row, clip, BACKDROPS[:1], np.random.default_rng(3), tmp_path / "query.mp4")

    assert (truth.speed, truth.reference.start_s) == (row.speed, 2.5)
    assert truth.reference.end_s == pytest.approx(7.0, abs=0.3)
    assert truth.query.duration_s * row.speed == pytest.approx(truth.reference.duration_s)
    assert FILLER_S[0] - 0.1 <= truth.query.start_s <= FILLER_S[1] + 0.1
    assert parameters["filler"] == "dark"
    shown = [i for i in decode(tmp_path / "query.mp4", frames_per_s=30, audio=False) if isinstance(i, Frame)]
    times_s = np.array([frame.time_s for frame in shown if frame.luma.std() > 10])
    step_s = 1 / (row.rate or film.rate)
    assert times_s[0] == pytest.approx(truth.query.start_s, abs=step_s)
    assert times_s[-1] + step_s == pytest.approx(truth.query.end_s, abs=step_s)
    middle = next(frame for frame in shown if frame.time_s >= truth.query.start_s + 2)
    original = [i for i in decode(film.path, frames_per_s=30, audio=False) if isinstance(i, Frame)]
    alike = [np.abs(middle.luma.astype(float) - cv2.resize(o.luma, middle.luma.shape[::-1])).mean() for o in original]
    at_s = 2.5 + (middle.time_s - truth.query.start_s) * row.speed
    assert original[int(np.argmin(alike))].time_s == pytest.approx(at_s, abs=0.15)


def test_vpdq_matches_where_enough_of_the_querys_frames_do() -> None:
    rng = np.random.default_rng(0)
    reference = rng.integers(0, 2, (10, 256)).astype(bool)
    near = reference[:5].copy()
    near[:, :31] ^= True
    assert video_peers.vpdq(near, reference)
    near[:1, :32] = ~reference[:1, :32]
    assert video_peers.vpdq(near, reference), "four of five"
    near[:2, :32] = ~reference[:2, :32]
    assert not video_peers.vpdq(near, reference)
    assert not video_peers.vpdq(near[:0], reference)


def test_the_signature_filter_knows_a_file_and_not_another(film: Video, tmp_path: Path) -> None:
    other, whole = synth.video(tmp_path / "other.mp4", 9.0, 2), Span(1.0, 8.0)
    assert video_peers.signature(film.path, whole, film.path, whole)
    assert not video_peers.signature(film.path, whole, other, whole)


def test_distractors_are_parts_on_their_side() -> None:
    frames = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
    assert np.array_equal(distractors.turned(frames, "left", "whole")[0], np.rot90(frames[0]))
    right = distractors.turned(frames, "right", "upper half")
    assert np.array_equal(right[0], np.rot90(frames[-1, :2], 3))


def test_a_sheet_shows_each_pair(tmp_path: Path) -> None:
    pair = sheets.Pair(GREY, Region(0.1, 0.1, 0.5, 0.5), None, GREY[:, :, 0], ["planted", "missed"], sheets.MISSED)
    sheets.write(tmp_path / sheets.named("crop 65 %"), [pair] * 4)
    drawn = cv2.imread(str(tmp_path / "crop-65.png"))
    assert drawn is not None
    assert (drawn == sheets.PLANTED).all(axis=2).any()


def test_segments_are_taken_evenly() -> None:
    all_ = [unrelated.Segment("kind", str(k), "", "", lambda c: [], lambda s: GREY) for k in range(10)]
    assert [segment.name for segment in unrelated.spread(all_, 4)] == ["0", "3", "6", "9"]
    assert unrelated.spread(all_, 99) == all_
