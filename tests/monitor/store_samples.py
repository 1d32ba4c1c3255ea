"""Works, licences and answers with every field set, and strategies that set them at random."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from sordino.fingerprints.model import Region, Span
from sordino.monitor.cases import Case, Subject
from sordino.monitor.ladder import Ladder
from sordino.monitor.store.effects import Effects
from sordino.monitor.timeline import Episode
from sordino.monitor.works import TERRITORIES, WORK_KINDS, Excluded, Licence, Ownership, Reference, Work
from sordino.pipelines.messages import (
    LicenceChecked,
    Match,
    Measure,
    Media,
    PictureRegion,
    Recommendation,
    Rejected,
    Segment,
    TimeSpan,
)

NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=UTC)


def work(name: str = "1", *, holder: str = "Blue Label", sha256: str | None = None) -> Work:
    return Work(
        work_id=f"work-{name}",
        title=f"Song {name} «ü\N{MUSICAL SYMBOL G CLEF}»",
        kind="recording",
        owners=(Ownership(holder, 0.5, ("DE", "FR"), "strict"), Ownership("Other", 0.5)),
        references=(
            Reference(f"ref-{name}-a", f"work-{name}", "/music/a.flac", sha256 or f"sha-{name}-a", 181.25, 0.0, "AQAD"),
            Reference(
                f"ref-{name}-b",
                f"work-{name}",
                "/music/b.mp4",
                f"sha-{name}-b",
                180.0,
                180.04,
                excluded=(Excluded(1.5, 3.25, "applause"), Excluded(170.0, 180.0)),
            ),
        ),
        isrc="USRC17607839",
        iswc="T-034.524.680-1",
        eidr="10.5240/7791-8534-2C23-9030-8610-5",
        policy="lenient",
        registered=NOON,
        public_domain=True,
    )


def licence(name: str = "1", *, work_id: str = "work-1") -> Licence:
    return Licence(
        licence_id=f"licence-{name}",
        work_id=work_id,
        licensee="Shop",
        accounts=("shop-1", "shop-2"),
        territories=("DE",),
        starts=NOON,
        expires=NOON + timedelta(days=365),
        commercial=False,
        account_groups=("partners",),
        use="live",
    )


def segment(sequence: int = 0, *, stream_id: str = "stream", ended: bool = False, inline: str | None = None) -> Segment:
    return Segment(
        stream_id=stream_id,
        sequence=sequence,
        start_s=10.0 * sequence,
        duration_s=10.0,
        media=Media(inline=inline) if inline else Media(uri=f"file:///in/{sequence}.ts"),
        live=True,
        account="shop-1",
        territory="DE",
        commercial=True,
        title="Shoes",
        ended=ended,
    )


def match(sequence: int = 0, *, region: PictureRegion | None = None) -> Match:
    return Match(
        work_id="work-1",
        reference_id="ref-1-a",
        title="Song 1",
        track="video" if region else "audio",
        query=TimeSpan(start_s=10.0 * sequence + 0.1, end_s=10.0 * sequence + 9.7),
        reference=TimeSpan(start_s=1 / 3, end_s=9.6),
        speed=1.04,
        pitch_semitones=-0.25,
        mirrored=region is not None,
        region=region,
        score=12.5,
        log10_false_positive=-7.25,
    )


def episode(sequence: int = 0, *, stream_id: str = "stream", reference_id: str = "ref-1-a") -> Episode:
    return Episode(
        stream_id=stream_id,
        reference_id=reference_id,
        track="video",
        query=Span(0.1, 10.0 * sequence + 9.7),
        reference=Span(1 / 3, 9.6),
        speed=1.04,
        pitch_semitones=-0.25,
        mirrored=True,
        region=Region(0.1, 0.2, 0.5, 1 / 3),
        score=12.5,
        log10_false_positive=-7.25,
        last_sequence=sequence,
    )


def recommendation(sequence: int = 0, *, stream_id: str = "stream", name: str = "") -> Recommendation:
    mute = Measure(kind="mute", spans=(TimeSpan(start_s=0.1, end_s=9.7),), territories=("DE",), expires=NOON)
    return Recommendation(
        recommendation_id=f"{stream_id}-{sequence}-{name}",
        stream_id=stream_id,
        sequence=sequence,
        measures=(mute,),
        residual_s=0.0,
        collateral_s=1 / 3,
        automatic=True,
        because=(match(sequence),),
        rejected=(Rejected(measure=Measure(kind="remove"), residual_s=0.0, collateral_s=9.5, why="destroys speech"),),
        licences_checked=(LicenceChecked(licence_id="licence-1", work_id="work-1", covers=False, why="ended"),),
        exceptions_claimed=("quotation",),
        regime="none",
        deadline=NOON.astimezone(timezone(timedelta(hours=2))),
        policy_version="default@1+abcdef01",
        engine_version="0.1.0",
        supersedes=None,
        statement="Song 1 is heard from 0:00 to 0:09.",
    )


REFERENCE, HOLDER = Subject("reference", "ref-1-a"), Subject("holder", "Blue Label")


def case(name: str = "1", *, reference_id: str = "ref-1-a", work_id: str = "work-1") -> Case:
    return Case(f"case-{name}", "quarantine", Subject("reference", reference_id), "4 a day «ü»", NOON, work_id)


def effects(sequence: int = 0, *, quota: int = 10) -> Effects:
    stands = Ladder("mute_live", sequence, 10.0 * sequence + 10, 1 / 3, 0.1 + 0.2, 2 / 3, 0.0)
    return Effects(NOON, stands, {REFERENCE: quota, HOLDER: quota}, (case(),))


# PostgreSQL holds no NUL, and no database half of a surrogate pair.
_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
_names = _text.filter(lambda text: bool(text.strip()))
_optional = st.none() | _text
_territories = st.lists(st.sampled_from(sorted(TERRITORIES)), max_size=3).map(tuple)
_seconds = st.floats(0, 1e6)
_instants = st.datetimes(
    datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9.5))])
)
_owners = st.builds(Ownership, _names, st.floats(0, 1, exclude_min=True), _territories, _optional)
_excluded = st.builds(Excluded, st.floats(0, 1e6), st.floats(2e6, 3e6), _text)


@st.composite
def works(draw: st.DrawFn, work_id: str) -> Work:
    def reference(n: int) -> Reference:
        return Reference(
            f"{work_id}/{n}",
            work_id,
            draw(_text),
            draw(_text),
            draw(_seconds),
            draw(_seconds),
            draw(_optional),
            excluded=tuple(draw(st.lists(_excluded, max_size=2))),
        )

    return Work(
        work_id=work_id,
        title=draw(_names),
        kind=draw(st.sampled_from(WORK_KINDS)),
        owners=tuple(draw(st.lists(_owners, max_size=3))),
        references=tuple(reference(n) for n in range(draw(st.integers(0, 3)))),
        isrc=draw(st.none() | st.just("USRC17607839")),
        policy=draw(_optional),
        registered=draw(_instants),
        withdrawn=draw(st.booleans()),
        public_domain=draw(st.booleans()),
    )


@st.composite
def licences(draw: st.DrawFn, licence_id: str, work_id: str) -> Licence:
    starts = draw(st.none() | _instants)
    return Licence(
        licence_id=licence_id,
        work_id=work_id,
        licensee=draw(_text),
        accounts=tuple(draw(st.lists(_text, max_size=3))),
        territories=draw(_territories),
        starts=starts,
        expires=draw(
            st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=9999)).map((starts or NOON).__add__)
        ),
        commercial=draw(st.booleans()),
        account_groups=tuple(draw(st.lists(_text, max_size=3))),
        use=draw(st.sampled_from(["any", "live", "recorded"])),
    )
