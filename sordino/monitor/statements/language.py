"""A language: its phrases, and how it writes times, figures and lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sordino.monitor.licensing import as_utc
from sordino.monitor.statements.said import Gap, Listed, Said, Seconds, Share, Title, Where
from sordino.monitor.wording import amount, clock, listed


@dataclass(frozen=True, slots=True)
class Language:
    """A table of phrases with gaps in braces, and the small words between them."""

    phrases: Mapping[str, str]
    seconds: str
    title: str
    span: str
    comma: str
    last: str
    more: str
    semicolon: str
    space: str  # between sentences

    def text(self, sentences: Iterable[Said]) -> str:
        """Return the sentences, one after the other."""
        said = [self.say(sentence).strip() for sentence in sentences]
        return self.space.join(sentence[0].upper() + sentence[1:] for sentence in said)

    def say(self, said: Said) -> str:
        """Return the words for it; KeyError where the table has no such phrase."""
        return self.phrases[said.phrase].format(**{name: self._filled(gap) for name, gap in said.gaps})

    def _filled(self, gap: Gap) -> str:
        match gap:
            case Said():
                return self.say(gap)
            case Listed(parts, reasons):
                words = [self._filled(part) for part in parts]
                return self.semicolon.join(words) if reasons else self._listed(words)
            case Where(spans):
                return self._listed([self.span.format(clock(span.start_s), clock(span.end_s)) for span in spans])
            case Seconds(value):
                return self.seconds.format(amount(value).removesuffix(" s"))
            case Share(value):
                return f"{value:.0%}"
            case Title(text):
                return self.title.format(text)
            case datetime():
                return f"{as_utc(gap):%Y-%m-%d %H:%M} UTC"
        return gap

    def _listed(self, words: list[str]) -> str:
        return listed(words, comma=self.comma, last=self.last, more=self.more)
