"""The filters that blur, blank and trim pictures, in ffmpeg's language."""

from collections.abc import Sequence

from sordino.fingerprints.model import Region, Span
from sordino.pipelines.decoder import FORWARD
from sordino.pipelines.remedies.plan import Blur, Plan

TICKS = 90_000  # a second: times of pictures while they are changed
EARLY_S = 0.0005  # rounding of a picture's time that is forgiven
SLATE = "0x1c1c1c"
WHOLE = Region(0, 0, 1, 1)
LONG_S = 0.5
REPEATED_FPS = 25
LEAST_SIDE = 16  # pixels of what is blurred: in less there is nothing to blur with


def filters(plan: Plan, longest_gap_s: float = 0.0) -> str:
    """
    Return the filters of a plan that changes pictures, of a file in which a picture stands for up to `longest_gap_s`.

    A span has the pictures that begin in it; pictures that stand for long are therefore repeated. Sides become even,
    as H.264 in 4:2:0 needs them.
    """
    steps = [FORWARD, f"settb=1/{TICKS}", "format=yuv420p", "pad='ceil(iw/2)*2':'ceil(ih/2)*2'"]
    if longest_gap_s > LONG_S:
        steps.append(f"fps={REPEATED_FPS},settb=1/{TICKS}")
    steps += [_blurred(blur, number) for number, blur in enumerate(plan.blur)]
    if plan.blank:
        steps.append(f"drawbox=t=fill:color={SLATE}:enable='{_during(plan.blank)}'")
    if plan.trim:
        steps += [f"select='not({_during(plan.trim)})'", f"setpts='PTS-({_left_out(plan.trim)})/TB'"]
    return ",".join(steps)


def _blurred(blur: Blur, number: int) -> str:
    """Cut the region out, blur it by a quarter of its shorter side three times over, and lay it back."""
    region = blur.region or WHOLE
    at, cut, back = f"at{number}", f"cut{number}", f"back{number}"
    left, width = _side("iw", region.x, region.w)
    top, height = _side("ih", region.y, region.h)
    during = _during([blur.span])
    radii = "lr='min(w,h)/4':lp=3:cr='min(cw,ch)/4':cp=3"
    return (
        f"split[{at}][{cut}];"
        f"[{cut}]crop=w='{width}':h='{height}':x='{left}':y='{top}',boxblur={radii}:enable='{during}'[{back}];"
        f"[{at}][{back}]overlay=x='{left.replace('iw', 'W')}':y='{top.replace('ih', 'H')}':enable='{during}'"
    )


def _side(side: str, start: float, length: float) -> tuple[str, str]:
    """Return where a region starts and how long it is, in even pixels that hold all of it."""
    first, last = f"2*floor({side}*{start:.6f}/2)", f"2*ceil({side}*{min(1.0, start + length):.6f}/2)"
    extent = f"min({side},max({LEAST_SIDE},{last}-{first}))"
    return f"min({first},{side}-{extent})", extent


def _during(spans: Sequence[Span]) -> str:
    return "+".join(f"gte(t,{s.start_s - EARLY_S:.6f})*lt(t,{s.end_s - EARLY_S:.6f})" for s in spans)


def _left_out(spans: Sequence[Span]) -> str:
    return "+".join(f"gte(T,{s.end_s - EARLY_S:.6f})*{s.duration_s:.6f}" for s in spans)
