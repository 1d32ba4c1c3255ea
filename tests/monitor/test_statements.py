"""Both languages say the same: each phrase is in both tables, with the same gaps, and no table has one too many."""

import re
import string
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sordino.fingerprints.model import Span
from sordino.monitor.statements.chinese import CHINESE
from sordino.monitor.statements.english import ENGLISH
from sordino.monitor.statements.language import Language
from sordino.monitor.statements.said import Listed, Said, Seconds, Share, Title, Where, say

LANGUAGES = {"English": ENGLISH, "Chinese": CHINESE}
SOURCES = "".join(path.read_text() for path in (Path(__file__).parents[2] / "sordino" / "monitor").glob("**/*.py"))


def gaps(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_both_tables_have_the_same_phrases_with_the_same_gaps() -> None:
    assert {name: gaps(text) for name, text in ENGLISH.phrases.items()} == {
        name: gaps(text) for name, text in CHINESE.phrases.items()
    }


@pytest.mark.parametrize("name", ENGLISH.phrases)
def test_every_phrase_is_said_somewhere(name: str) -> None:
    group = name.partition(".")[0]
    composed = {"do", "doing", "noun", "kind", "outcome", "modality", "subject", "live"}
    assert f'"{name}"' in SOURCES.replace(f'    "{name}": ', "") or group in composed


@pytest.mark.parametrize("phrase", CHINESE.phrases.values())
def test_chinese_is_chinese(phrase: str) -> None:
    words = re.sub(r"\{\w+\}|dB", "", phrase)
    assert not re.search(r"[A-Za-z]", words)


@pytest.mark.parametrize(
    ("said", "english", "chinese"),
    [
        pytest.param(
            say("too_short", lasts=Seconds(2.9), limit=Seconds(3)),
            "it lasts 2.9 s, less than the 3.0 s from which this policy acts",
            "持续 2.9 秒，短于本政策采取措施的下限 3.0 秒",
            id="seconds",
        ),
        pytest.param(
            say("over_claimed", title=Title("Blue {0}"), territory="DE", total=Share(1.4)),
            "the shares claimed in “Blue {0}” in DE add up to 140%",
            "各方在 DE 对《Blue {0}》主张的份额合计为 140%",
            id="a title with braces",
        ),
        pytest.param(
            say("act", verb=say("do.mute"), noun=say("noun.mute"), where=Where((Span(20, 29), Span(60, 70)))),
            "mute the sound from 0:20 to 0:29 and from 1:00 to 1:10",
            "静音处理 0:20 至 0:29 和 1:00 至 1:10 的声音",
            id="stretches",
        ),
        pytest.param(
            say("review", reasons=Listed((say("insufficient"), say("uncertain", title=Title("A"))), reasons=True)),
            "recommended: review by a human, because no measure that this policy admits is enough; the match of “A” "
            "isn't certain enough to act on alone.",
            "建议：由人工审核，因为本政策容许的措施均不足够；对《A》的匹配不够确定，不能单独据此采取措施。",
            id="reasons",
        ),
        pytest.param(
            say("by", time=datetime(2026, 3, 1, 12, tzinfo=UTC)),
            "to be decided by 2026-03-01 12:00 UTC.",
            "应于 2026-03-01 12:00 UTC 之前决定。",
            id="a time",
        ),
    ],
)
def test_how_each_language_says_it(said: Said, english: str, chinese: str) -> None:
    assert (ENGLISH.say(said), CHINESE.say(said)) == (english, chinese)


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_what_is_over_five_is_counted(language: Language) -> None:
    words = language.say(say("work", title=Title("T"), holders=Listed(tuple("ABCDEFGH"))))
    assert "E" in words
    assert "F" not in words
    assert "3" in words


def test_sentences_begin_with_a_capital() -> None:
    assert ENGLISH.text([say("none"), say("reversible")]) == (
        "No registered work was found. It can be undone and may be applied without a human."
    )
