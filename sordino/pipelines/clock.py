"""
The times of all pictures, where only keyframes are decoded: read from ffmpeg's text about packets and frames.

Packets come as ffmpeg's `framecrc` has them, in the order of decoding; frames as its filter `metadata` prints them.
"""

import re
from collections import deque
from itertools import pairwise
from statistics import median

from sordino.pipelines.timeline import LAST_FRAME_S

FRAME_TICKS = 1_000_000  # of a frame's time, a second
REORDERED = 32  # pictures: H.264 and HEVC keep 16 back, two fields of each
SAME_S = 2e-3  # a packet's time and its frame's differ by rounding
WAITING = 1000  # keyframes whose frames may still come; a decoder keeps back 16
MAX_LINE = 4096  # bytes

_TIME_BASE = re.compile(rb"#tb (\d+): (\d+)/(\d+)$")
_VIDEO = re.compile(rb"#media_type (\d+): video$")
_PACKET = re.compile(rb"(\d+), *-?\d+, *(-?\d+), *-?\d+, *\d+, 0x[0-9a-f]+(?:, F=0x([0-9A-F]+))?")
_FRAME = re.compile(rb"frame:\d+ +pts:(-?\d+) ")
_KEY, _DISCARD = 1, 4  # ffmpeg's flags of packets


class Clock:
    """
    Tells when the last picture ends and when each frame is shown, as if every picture had been decoded.

    A time that goes back follows the one before it, until the file's clock has caught up.
    """

    def __init__(self, longest_s: float) -> None:
        self.received = 0  # bytes
        self._longest_s = longest_s
        self._rest = b""
        self._tick_s: dict[bytes, float] = {}  # of each track
        self._video: bytes | None = None  # the track of pictures
        self._ahead_s = 0.0  # of the file's own clock
        self._recent: deque[float] = deque(maxlen=REORDERED)  # times of pictures, in the order of decoding
        self._latest: deque[float] = deque(maxlen=50)  # the same, for the gaps between them
        self._last_s: float | None = None
        self.longest_gap_s = 0.0  # between pictures; where they are decoded in another order, up to that of a few
        self._keys: deque[tuple[float, float]] = deque(maxlen=WAITING)  # a keyframe's own time, and the right one
        self._frames: deque[float] = deque()

    @property
    def end_s(self) -> float:
        """Seconds from the start until the last picture has been shown for as long as the ones before it."""
        if self._last_s is None:
            return 0.0
        times_s = sorted(self._latest)
        gaps_s = [b - a for a, b in pairwise(times_s)]
        return self._last_s + (median(gaps_s) if gaps_s else LAST_FRAME_S)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self.received += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)
        self._rest = self._rest[:MAX_LINE]

    def next_frame_s(self) -> float | None:
        """Return when the next frame is shown, or None where it was not announced."""
        return self._frames.popleft() if self._frames else None

    def _take(self, line: bytes) -> None:
        if match := _PACKET.match(line):
            track, ticks, flags = match.groups()
            if track == self._video and not int(flags or b"1", 16) & _DISCARD:
                self._packet(int(ticks) * self._tick_s[track], key=bool(int(flags or b"1", 16) & _KEY))
        elif match := _FRAME.match(line):
            self._frames.append(self._shown_s(int(match[1]) / FRAME_TICKS))
        elif match := _TIME_BASE.match(line):
            self._tick_s[match[1]] = int(match[2]) / max(1, int(match[3]))
        elif match := _VIDEO.match(line):
            self._video = match[1] if match[1] in self._tick_s else None

    def _packet(self, own_s: float, *, key: bool) -> None:
        if abs(own_s) > self._longest_s:  # no time at all, or one that is cut off
            return
        last_s = own_s if self._last_s is None else self._last_s
        if self._ahead_s and own_s > last_s:
            self._ahead_s = 0.0
        elif self._jumped(own_s + self._ahead_s, key=key):
            self._ahead_s = last_s - own_s + 1e-5
            self._recent.clear()
        time_s = own_s + self._ahead_s
        self.longest_gap_s = max(self.longest_gap_s, time_s - last_s)
        self._recent.append(time_s)
        self._latest.append(time_s)
        self._last_s = max(last_s, time_s)
        if key:
            self._keys.append((own_s, time_s))

    def _jumped(self, time_s: float, *, key: bool) -> bool:
        """Tell a clock that goes back from pictures decoded earlier than they are shown, as keyframes never are."""
        if key:
            return self._last_s is not None and time_s < self._last_s
        return len(self._recent) == REORDERED and time_s < min(self._recent)

    def _shown_s(self, own_s: float) -> float:
        for at, (key_s, time_s) in enumerate(self._keys):
            if abs(key_s - own_s) < SAME_S:
                for _ in range(at + 1):
                    self._keys.popleft()
                return time_s
        return own_s + self._ahead_s  # a decoder that had its own idea of the time, or that decodes all pictures
