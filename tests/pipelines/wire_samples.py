"""Values of the wire contract for the tests."""

from typing import Any

from sordino.pipelines.messages import Measure, Media, Recommendation, Segment


def segment(stream_id: str = "live-1", sequence: int = 0, **fields: Any) -> Segment:
    given = {"start_s": 10.0 * sequence, "duration_s": 10.0, "media": Media(uri="file:///srv/media/a.ts"), **fields}
    return Segment(stream_id=stream_id, sequence=sequence, **given)


def recommendation(stream_id: str = "live-1", sequence: int = 0, **fields: Any) -> Recommendation:
    given: dict[str, Any] = {
        "recommendation_id": f"{stream_id}/{sequence}/1",
        "measures": (Measure(kind="allow"),),
        "residual_s": 0.0,
        "collateral_s": 0.0,
        "automatic": True,
        "because": (),
        "rejected": (),
        "licences_checked": (),
        "exceptions_claimed": (),
        "regime": "default",
        "deadline": None,
        "policy_version": "1",
        "engine_version": "1",
        "supersedes": None,
        "statement": "nothing was found",
        **fields,
    }
    return Recommendation(stream_id=stream_id, sequence=sequence, **given)
