"""`sordino works own` and `works exclude`: whose a work is, and what of it nobody claims."""

from typing import Annotated

import typer

from sordino.monitor.commands.shared import HomeOption, JsonOption, as_values, home_folder, stretch, territories, usage
from sordino.monitor.commands.works import Holder, OwnPolicy, Share, Where, WorkId, values_of
from sordino.monitor.console import Output, one_line
from sordino.monitor.wording import clock
from sordino.monitor.works import Excluded, Ownership


def own(
    work_id: WorkId,
    holder: Holder,
    share: Share = 1.0,
    territory: Where = None,
    policy: OwnPolicy = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Add an owner to a work, with a share, the territories and a policy of its own.

    Example: sordino works own W1f0c6b2a9d3e4f58 --holder "Red Songs" --share 0.5 --territory DACH --policy lenient
    """
    with usage():
        owner = Ownership(holder, share, territories(territory), policy)
    with home_folder(home) as opened_home:
        opened_home.check_holder_policy(policy)
        work = opened_home.store.add_owner(work_id, owner)
        values = values_of(opened_home, work)
    owners = ", ".join(f"{one.holder} {one.share:.0%}" for one in work.owners)
    Output(as_json=as_json).done(values, f"{work.work_id} {one_line(work.title)}: {one_line(owners)}")


def exclude(
    reference_id: Annotated[str, typer.Argument(help="As `works show` shows it.")],
    where: Annotated[str, typer.Argument(metavar="START-END", help="Of the reference: 80-95.5, or 1:20-1:35.5.")],
    reason: Annotated[str, typer.Option(help="A library sample, applause, noise ...")] = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Exclude a stretch of a reference from claims: what is found of it there counts no more.

    Example: sordino works exclude R9c1d2e3f4a5b6071 1:20-1:35 --reason "library sample"
    """
    with usage():
        excluded = Excluded(*stretch(where), reason)
    with home_folder(home) as opened_home:
        reference = opened_home.store.exclude(reference_id, excluded)
    stretches = ", ".join(f"{clock(one.start_s)}-{clock(one.end_s)}" for one in reference.excluded)
    Output(as_json=as_json).done(as_values(reference), f"{reference_id}: {stretches} excluded from claims")
