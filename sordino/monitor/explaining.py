"""Pure: policies in plain English, every rule in a sentence."""

from collections.abc import Iterator

from sordino.monitor.holders import Conditions, HolderPolicy, Outcome
from sordino.monitor.policy import MinimumUse, Policy
from sordino.monitor.territories import named
from sordino.monitor.wording import amount, listed
from sordino.pipelines.messages import MeasureKind

_ASKED: dict[Outcome, str] = {
    "allow": "nothing is asked",
    "label": "the use stays up and is labelled",
    "share_revenue": "the use stays up and its revenue is shared",
    "track": "the use stays up and is reported",
    "erase_music": "no more is asked than to take out the music",
    "mute": "no more is asked than to mute the sound",
    "blur_region": "no more is asked than to blur the copied part of the picture",
    "trim": "no more is asked than to cut out the copied stretch",
    "blank": "no more is asked than to blank the picture",
    "restrict_territory": "no more is asked than a restriction by territory",
    "disable_commerce": "no more is asked than to switch off the link to buy",
    "remove": "whatever is least is done, deletion at the most",
    "review": "a human decides",
}

_DONE: dict[MeasureKind, str] = {
    "label": "label a use",
    "share_revenue": "share the revenue of a use",
    "track": "report a use",
    "erase_music": "take out music and keep the voice",
    "mute": "mute a stretch",
    "blur_region": "blur a part of the picture",
    "trim": "cut out a stretch",
    "blank": "blank the picture",
    "restrict_territory": "make a segment unavailable in some territories",
    "disable_commerce": "switch off the link to buy",
    "remove": "delete it",
}


def explained(policy: Policy | HolderPolicy) -> list[str]:
    """Return what a policy says, a sentence each."""
    return list(_platform(policy) if isinstance(policy, Policy) else _holder(policy))


def _platform(policy: Policy) -> Iterator[str]:
    regime = f"the regime {policy.regime!r}" if policy.regime != "none" else "no country's law in particular"
    yield f"This policy of a platform is meant for {regime}."
    done = listed([_DONE[kind] for kind in policy.admissible], most=99)
    yield f"What may be done, where it is the least that suffices: {done or 'nothing'}."
    yield "Allowing, and asking a human, are always possible; deleting always needs a human."
    share = f"{policy.tolerated_residual_share:.0%} of its length"
    tolerated = amount(policy.tolerated_residual_s)
    yield f"In a segment {tolerated} of unlicensed use may stay, or {share} where that is less."
    yield f"A use of less than {amount(policy.min_episode_s)} is let be."
    chance = f"at most 10^{policy.automatic_log10_false_positive:g}"
    yield f"Nothing is done without a human unless the chance that the match is an error is {chance}."
    overlap = f"{policy.conflict_overlap:.0%} of the shorter one"
    yield f"Two owners' works of one kind that overlap by {overlap} or more are a conflict, which a human settles."
    hours = policy.deadlines
    yield f"A human decides within {hours.recorded_h:g} h, of a live stream within {hours.live_h:g} h."
    yield _audience(policy)
    if policy.minimum_use is not None:
        yield _minimum(policy.minimum_use)


def _audience(policy: Policy) -> str:
    if not policy.audience:
        return (
            "How the audience is spread over territories isn't known: where rights hold in some only and the segment "
            "doesn't say where it is shown, a human decides."
        )
    shares = listed([f"{share:.0%} in {code}" for code, share in sorted(policy.audience.items())], most=99)
    return f"Of the audience {shares}; the rest is taken to be spread evenly over the other territories."


def _minimum(rule: MinimumUse) -> str:
    conditions = [f"up to {amount(rule.up_to_s)} of sound and of pictures"]
    conditions.append(f"less than {rule.under_of_work:.0%} of the work")
    conditions += ["beside other content"] if rule.combined else []
    conditions += [] if rule.commercial else ["without selling anything"]
    kinds = listed([kind.replace("_", " ") for kind in rule.not_live])
    unless = f", except of a work of the kind {kinds} while a stream is live" if rule.not_live else ""
    where = listed(named(rule.territories), most=99)
    return (
        f"By {rule.law}, in {where}, a use of {listed(conditions)} is presumed to be permitted{unless}: "
        f"{_ASKED[rule.outcome]}."
    )


def _holder(policy: HolderPolicy) -> Iterator[str]:
    yield "This policy of a rights holder is a ceiling: no more is done than it asks for, and less where less suffices."
    for number, rule in enumerate(policy.rules, start=1):
        conditions = listed(list(_conditions(rule.when, policy.codes(rule))), most=99)
        yield f"{number}. {f'Where {conditions}' if conditions else 'Always'}: {_ASKED[rule.outcome]}."
    yield f"{'Otherwise' if policy.rules else 'Always'}: {_ASKED[policy.outcome]}."
    if policy.rules:
        yield "The first rule that holds decides; where it isn't known whether one holds, the milder of what may be."


def _conditions(when: Conditions, codes: frozenset[str]) -> Iterator[str]:
    if when.tracks is not None:
        yield {"audio": "only the sound is used", "video": "only pictures are used"}.get(
            when.tracks, "both sound and pictures are used"
        )
    yield from _range("the use lasts", _lasting(when.at_least_s), _lasting(when.under_s))
    yield from _range("it is", _of(when.at_least_of_copy), _of(when.under_of_copy), " of the stream")
    yield from _range("it is", _of(when.at_least_of_reference), _of(when.under_of_reference), " of the work")
    if when.territories is not None:
        yield f"it is shown in {listed(named(codes), most=99)}"
    if when.live is not None:
        yield "it is live" if when.live else "it is not live"
    if when.commercial is not None:
        yield "something is sold" if when.commercial else "nothing is sold"
    yield from _accounts(when)
    if when.starts is not None:
        yield f"it is {when.starts:%Y-%m-%d %H:%M %Z} or later"
    if when.ends is not None:
        yield f"it is before {when.ends:%Y-%m-%d %H:%M %Z}"


def _accounts(when: Conditions) -> Iterator[str]:
    if when.accounts is not None:
        yield f"the account is {_either(when.accounts)}"
    if when.account_groups is not None:
        yield f"the account is in the group {_either(when.account_groups)}"


def _either(names: tuple[str, ...]) -> str:
    return listed(names, last=" or ", more="{} others")


def _lasting(seconds: float | None) -> str | None:
    return None if seconds is None else amount(seconds)


def _of(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"


def _range(what: str, least: str | None, limit: str | None, of: str = "") -> Iterator[str]:
    words = [f"at least {least}"] if least is not None else []
    words += [f"under {limit}"] if limit is not None else []
    if words:
        yield f"{what} {' and '.join(words)}{of}"
