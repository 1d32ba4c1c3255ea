"""Pure: ISO 3166-1 codes, and groups of them such as EU, which may have groups as members."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources

from sordino.monitor.works import TERRITORIES, InvalidWork

WORLD = "WORLD"

Groups = Mapping[str, frozenset[str]]


@cache
def packaged() -> Groups:
    """
    Return the groups that come with the product.

    >>> sorted(packaged()["DACH"])
    ['AT', 'CH', 'DE']
    """
    text = resources.files("sordino.monitor").joinpath("territories.toml").read_text(encoding="utf-8")
    return resolved(tomllib.loads(text), {WORLD: TERRITORIES})


def resolved(members: Mapping[str, Iterable[str]], known: Groups) -> Groups:
    """
    Return the groups with their members' members, the known ones included, down to codes.

    Raises InvalidWork: `bad_group` for a group that is a member of itself, by however many steps, or whose name is a
    territory's or a known group's; `bad_territory` for a member that is neither a territory nor a group.

    >>> sorted(resolved({"A": ["DE", "B"], "B": ["FR"]}, {})["A"])
    ['DE', 'FR']
    """
    done = dict(known)
    for name in members:
        if name != name.strip().upper():
            raise InvalidWork("bad_group", f"the group {name!r} is not in capitals")
        if name in TERRITORIES or name in known:
            raise InvalidWork("bad_group", f"the group {name!r} has the name of another territory or group")
    for name in members:
        _resolve(name, members, done, ())
    return done


def _resolve(
    name: str, members: Mapping[str, Iterable[str]], done: dict[str, frozenset[str]], path: tuple[str, ...]
) -> None:
    if name in path:
        raise InvalidWork("bad_group", f"the group {name!r} is a member of itself: {' > '.join((*path, name))}")
    if name in done:
        return
    codes: set[str] = set()
    for member in members[name]:
        if member.strip().upper() in members:
            _resolve(member.strip().upper(), members, done, (*path, name))
        codes |= expanded([member], done)
    done[name] = frozenset(codes)


def expanded(names: Iterable[str], groups: Groups) -> frozenset[str]:
    """Return the codes that codes and groups, in any case, stand for; InvalidWork `bad_territory`."""
    codes: set[str] = set()
    for typed in names:
        name = typed.strip().upper()
        if name not in TERRITORIES and name not in groups:
            known = ", ".join(sorted(groups))
            raise InvalidWork(
                "bad_territory",
                f"{typed!r} is no territory: expected an ISO 3166-1 code of two letters, or a group ({known})",
            )
        codes |= groups.get(name, {name})
    return frozenset(codes)


def named(codes: Iterable[str]) -> tuple[str, ...]:
    """
    Return codes in short: the largest groups that are wholly among them, then what is left.

    >>> named({*packaged()["EU"], "US"})
    ('EU', 'US')
    """
    left, names = set(codes), []
    for name, members in sorted(packaged().items(), key=lambda group: (-len(group[1]), group[0])):
        if members <= left:
            names.append(name)
            left -= members
    return (*names, *sorted(left))
