"""What is to be done to a file, in its own time; and whether that can be done to this file."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sordino.fingerprints.model import Region, Span, union

Block = NDArray[np.float32]  # [n, channels]
Processor = Callable[[Iterator[Block], int], Iterator[Block]]  # of sound and its rate, Hz; as many samples as came in

OVERRUN_S = 1.0  # matches are right to within this: what ends further beyond the file is meant for another one
LEAST_S = 0.1  # that trimming has to leave: one track is often longer by as much
MOST_SPANS = 500


class RemedyError(Exception):
    """
    Why nothing was rendered: `code` is a snake_case word, the message one line that names the culprit.

    Codes: bad_measure, contradiction, span_outside, too_many_spans, nothing_left, nothing_to_do, no_sound, no_pictures,
    bad_container, same_file, exists, not_writable, disk_full, encoder_limit, encoder_failed, work_not_found,
    reference_media_gone.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Blur:
    """A stretch over which a region of the picture (None: all of it) is made unrecognisable."""

    span: Span
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is done, in this order: `sound` (erasing, replacing), muting, blurring, blanking, trimming.

    Trimming wins where it meets others. Spans are in seconds of `media.decode`.
    """

    mute: tuple[Span, ...] = ()
    blur: tuple[Blur, ...] = ()
    blank: tuple[Span, ...] = ()
    trim: tuple[Span, ...] = ()
    sound: tuple[Processor, ...] = ()

    @property
    def changes_sound(self) -> bool:
        """Has the sound to be encoded again."""
        return bool(self.mute or self.trim or self.sound)

    @property
    def changes_pictures(self) -> bool:
        """Have the pictures to be encoded again."""
        return bool(self.blur or self.blank or self.trim)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every span."""
        return (*self.mute, *(blur.span for blur in self.blur), *self.blank, *self.trim)


def fitted(plan: Plan, audio_s: float, video_s: float) -> Plan:
    """
    Return the plan for a file of this length, its spans cut at the file's end.

    Raises RemedyError: no_sound, no_pictures, span_outside, too_many_spans, nothing_left, nothing_to_do.
    """
    if not plan.changes_sound and not plan.changes_pictures:
        raise RemedyError("nothing_to_do", "there is no measure to render")
    if (plan.mute or plan.sound) and not audio_s:
        raise RemedyError("no_sound", "there is no sound to change")
    if (plan.blur or plan.blank) and not video_s:
        raise RemedyError("no_pictures", "there are no pictures to change")
    if len(plan.spans) > MOST_SPANS:
        raise RemedyError("too_many_spans", f"there are {len(plan.spans)} spans, {MOST_SPANS} are allowed")
    length_s = max(audio_s, video_s)
    cut = replace(
        plan,
        mute=union(inside(span, length_s) for span in plan.mute),
        blur=tuple(replace(blur, span=inside(blur.span, length_s)) for blur in plan.blur),
        blank=union(inside(span, length_s) for span in plan.blank),
        trim=union(inside(span, length_s) for span in plan.trim),
    )
    if length_s - sum(span.duration_s for span in cut.trim) < LEAST_S:
        raise RemedyError("nothing_left", "trimming leaves nothing of the file")
    return cut


def inside(span: Span, length_s: float) -> Span:
    """Return what of the span lies in a file of this length; raises RemedyError span_outside where it is too long."""
    if span.start_s < 0 or span.start_s >= length_s or span.end_s > length_s + OVERRUN_S:
        told = f"{span.start_s:g}-{span.end_s:g} s"
        raise RemedyError("span_outside", f"the span {told} is not inside the file, which lasts {length_s:.3f} s")
    return Span(span.start_s, min(span.end_s, length_s))
