"""Parameters that change a print change the stamp."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from sordino.fingerprints.params import AudioParams, VideoParams, stamp


def test_equal_parameters_have_equal_stamps() -> None:
    assert stamp(AudioParams(), VideoParams()) == stamp(AudioParams(), VideoParams())


@pytest.mark.parametrize("name", [f.name for f in fields(AudioParams)])
def test_every_parameter_of_sound_is_in_the_stamp(name: str) -> None:
    other = replace(AudioParams(), **{name: getattr(AudioParams(), name) + 1})
    assert stamp(other, VideoParams()) != stamp(AudioParams(), VideoParams())


@pytest.mark.parametrize("name", [f.name for f in fields(VideoParams)])
def test_every_parameter_of_pictures_is_in_the_stamp(name: str) -> None:
    other = replace(VideoParams(), **{name: getattr(VideoParams(), name) + 1})
    assert stamp(AudioParams(), other) != stamp(AudioParams(), VideoParams())


def test_the_defaults_are_what_the_comments_say() -> None:
    assert AudioParams().n_bands == 207
    assert AudioParams().frames_per_s == 50


def test_parameters_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        AudioParams().query_rate = 1  # type: ignore[misc]
