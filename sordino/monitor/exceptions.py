"""Pure: uses that need nobody's leave, as far as a machine can tell: small ones that a law presumes to be permitted."""

from sordino.monitor.policy import MinimumUse
from sordino.monitor.uses import Use
from sordino.monitor.works import Work
from sordino.pipelines.messages import Segment


def presumed(rule: MinimumUse | None, work: Work, use: Use, segment: Segment) -> bool:
    """
    Tell whether a use is so small that a law presumes it to be permitted.

    Where it isn't known where the segment is shown, the law is taken to hold: that errs towards doing less. How much of
    the work it is has to be known.
    """
    if rule is None or use.of_reference is None:
        return False
    if segment.territory is not None and segment.territory not in rule.territories:
        return False
    if (segment.commercial and not rule.commercial) or (segment.live and work.kind in rule.not_live):
        return False
    small = max(use.matched_s.values()) <= rule.up_to_s and use.of_reference < rule.under_of_work
    return small and (use.combined or not rule.combined)
