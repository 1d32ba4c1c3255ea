"""What ffmpeg says on its standard error: facts about the file, and what is wrong with it."""

import re
from dataclasses import dataclass, field

MAX_WORDS = 20  # messages that are kept
MAX_LINE = 4096  # bytes; a hostile file's metadata come as lines too
DAMAGE = re.compile(
    r"corrupt|truncat|premature|mismatch|partial|missing|invalid|broken|damage|discontinu", re.IGNORECASE
)
_LINE = re.compile(r"^((?:\[[^]]* @ 0x[0-9a-f]+\] )*)\[(\w+)\] (.*)$")
_DURATION = re.compile(r"^  Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N/A)(?:, start: (-?\d+\.\d+))?")
_STREAM = re.compile(r"^  Stream #\d+:\d+.*?: (Audio|Video|Subtitle): (?!.*\(attached pic\))(\w*)")
_SOUND = re.compile(r"^  Stream #0:\d+.*?: Audio: pcm_f32le(?: \([^)]*\))?, \d+ Hz, ([\w.()]+)")
_SIZE = re.compile(r"Picture size (\d+)x(\d+) (?:is invalid|exceeds)")


@dataclass(slots=True)
class Words:
    """What ffmpeg says on its standard error, as far as it matters."""

    format: str | None = None  # the demuxer's name, once it has opened the file
    refused: str | None = None  # the demuxer's name, if it is not one of ours
    speaker: str | None = None  # who said the last error
    claimed_s: float | None = None
    start_s: float = 0.0
    codecs: dict[str, str] = field(default_factory=dict)  # of the first track of each kind; cover pictures are none
    tracks: int = 0  # of all kinds, subtitles too
    layout: str | None = None  # of the channels that come out
    picture: tuple[int, int] = (0, 0)  # size of the largest picture that was refused
    errors: list[str] = field(default_factory=list)  # distinct, in order
    not_started: str | None = None  # why, in the words of prlimit or the loader
    _listed: bool = False  # the file's tracks have been listed; our own come next
    _rest: bytes = b""

    @property
    def kinds(self) -> set[str]:
        """Kinds of tracks: Audio, Video."""
        return set(self.codecs)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line[:MAX_LINE].decode(errors="replace"))
        self._rest = self._rest[:MAX_LINE]

    def _take(self, line: str) -> None:
        if (match := _LINE.match(line)) is None:
            if line.startswith("prlimit: ") or "error while loading shared libraries" in line:
                self.not_started = line
            return
        speakers, level, text = match.groups()
        if level == "info":
            self._take_facts(text)
        elif level in {"error", "fatal", "panic"} or DAMAGE.search(text):
            self.speaker = speakers.strip("[]").split(" @ ")[0] or self.speaker
            self._take_error(re.sub(r"file:/dev/fd/\d+", "the file", text.strip()))

    def _take_facts(self, text: str) -> None:
        if text.startswith("Input #0, ") and self.format is None:
            self.format = text.removeprefix("Input #0, ").split(", from ")[0]
        elif self.format is not None and self.claimed_s is None and (match := _DURATION.match(text)):
            hours, minutes, seconds, start = match.groups()
            self.claimed_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds) if hours else 0.0
            self.start_s = float(start or 0)
        elif text.startswith("Output #"):
            self._listed = True
        elif not self._listed and (match := _STREAM.match(text)):
            self.tracks += 1
            if match[1] != "Subtitle":
                self.codecs.setdefault(match[1], match[2])
        elif self._listed and (match := _SOUND.match(text)):
            self.layout = match[1]

    def _take_error(self, text: str) -> None:
        if text.startswith("Format not on whitelist"):
            self.refused = self.speaker
        elif match := _SIZE.search(text):
            self.picture = max(self.picture, (int(match[1]), int(match[2])), key=lambda size: size[0] * size[1])
        if text not in self.errors:
            self.errors[MAX_WORDS - 1 :] = [text]  # the first ones, and the last
