"""Pure: what of a segment infringes and what is lawful: modality by modality, and territory by territory."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sordino.fingerprints.model import Span, Track, union
from sordino.monitor.judging import Finding, Verdict
from sordino.monitor.ownership import held_in
from sordino.monitor.policy import Policy
from sordino.monitor.weighing import Layer, Modality, lawful_picture, meet, minus
from sordino.monitor.works import TERRITORIES
from sordino.pipelines.messages import Segment

Stretches = tuple[tuple[Span, float], ...]

LAWFUL: tuple[Verdict, ...] = ("licensed", "left_up", "presumed", "public_domain")


@dataclass(frozen=True, slots=True)
class Trial:
    """
    An attempt to take a reference's music out of a segment: `ok` where it isn't found any more in what is left.

    `query` counts from the segment's start. `suppression_db`: by how much the music got weaker; `why` it failed, in
    words that go on a sentence.
    """

    reference_id: str
    query: Span
    suppression_db: float
    ok: bool
    why: str


def layers_of(
    findings: Sequence[Finding],
    segment: Segment,
    tracks: Collection[Track],
    voice: Sequence[Span] | None,
    trials: Sequence[Trial],
    policy: Policy,
) -> list[Layer]:
    """
    Return the segment's layers; `voice` and `trials` are in the stream's time here.

    A second of music is either infringing or, where a licence covers it, lawful; never both. Where it infringes in some
    territories only, it is lawful in the others.
    """
    whole = Span(segment.start_s, segment.start_s + segment.duration_s)
    shown = frozenset([segment.territory]) if segment.territory else TERRITORIES
    infringing = [finding for finding in findings if finding.infringing]
    layers = [_claim(finding, shown, trials) for finding in infringing]
    for codes in _alike(infringing, shown):
        here = [finding for finding in infringing if codes <= _held(finding, shown)]
        music = [f for f in findings if f.verdict in LAWFUL or (f.infringing and f not in here)]
        lawful: dict[Modality, Stretches] = {}
        if "audio" in tracks:
            lawful["music"] = _whole(minus(_parts(music, "audio"), _parts(here, "audio")))
            lawful["voice"] = _whole([whole] if voice is None else meet([whole], voice))
        if "video" in tracks:
            lawful["picture"] = lawful_picture(
                whole, [(p, f.episode.region) for f in _on(here, "video") for p in f.parts]
            )
        if segment.commercial:
            lawful["commerce"] = _whole(minus([whole], (p for f in here if _of_sale(f) for p in f.parts)))
        audience = policy.audience_in(codes, shown)
        layers += [Layer(m, (), spans, territories=codes, audience=audience) for m, spans in lawful.items()]
    return layers


def _claim(finding: Finding, shown: frozenset[str], trials: Iterable[Trial]) -> Layer:
    """Return what of a finding infringes; a holder who objects to the sale only claims the link to buy."""
    ceiling, episode = finding.wish.ceiling, finding.episode
    held = _held(finding, shown)
    if _of_sale(finding):
        return Layer("commerce", finding.parts, (), ceiling=ceiling, territories=held)
    if episode.track == "video":
        return Layer("picture", finding.parts, (), episode.region, ceiling, territories=held)
    erased = [trial.query for trial in trials if trial.ok and trial.reference_id == episode.reference_id]
    return Layer("music", finding.parts, (), None, ceiling, meet(finding.parts, erased), held)


def _of_sale(finding: Finding) -> bool:
    return finding.wish.ceiling == "disable_commerce"


def _held(finding: Finding, shown: frozenset[str]) -> frozenset[str]:
    return held_in(finding.work, shown) if finding.work is not None else shown


def _alike(infringing: Sequence[Finding], shown: frozenset[str]) -> list[frozenset[str]]:
    """Part the territories by who has rights where: within each part all is alike."""
    parts = [shown]
    for held in {_held(finding, shown) for finding in infringing}:
        parts = [piece for part in parts for piece in (part & held, part - held) if piece]
    return sorted(parts, key=sorted)


def _on(findings: Iterable[Finding], track: Track) -> list[Finding]:
    """Return what is found on a track and claimed there."""
    return [finding for finding in findings if finding.episode.track == track and not _of_sale(finding)]


def _parts(findings: Iterable[Finding], track: Track) -> tuple[Span, ...]:
    return union(part for finding in _on(findings, track) for part in finding.parts)


def _whole(spans: Iterable[Span]) -> Stretches:
    return tuple((span, 1.0) for span in spans)
