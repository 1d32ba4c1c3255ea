"""One catalogue, several processes: some ask, some add and remove, some are killed."""

import json
from pathlib import Path

import pytest

from sordino.fingerprints.catalogue import Catalogue
from tests.fingerprints.test_catalogue import (
    SMALL,
    done,
    drawn,
    found,
    named_parts,
    parts_on_disk,
    picture,
    script,
    sound,
    view,
)

GENERATIONS = 16

# Generation n has "old" and the n-th reference; all have the same pictures, so a query shows who is there.
CHANGES = """
    opened = Catalogue.open(Path(sys.argv[1]), SMALL)
    for n in range(2, int(sys.argv[2]) + 1):
        opened.add(f"reference {n}", sound(n), picture(1))
        opened.remove(f"reference {n - 1}")
        opened.save()
        print(opened.generation, flush=True)
    """

ASKS = """
    opened = Catalogue.open(Path(sys.argv[1]), SMALL)
    noise = np.random.default_rng(1).standard_normal((200, SMALL.n_bands)).astype(np.float32)
    query = AudioQuery(sound(7), noise)
    last, asked = int(sys.argv[2]), 0
    while opened.generation < last:
        named = json.loads((Path(sys.argv[1]) / manifest.MANIFEST).read_text())["generation"]
        names = found(opened, query, view(1))
        asked += 1
        assert opened.generation >= named, "a generation before the one that was there"
        assert sorted(names) == ["old", f"reference {opened.generation}"], (opened.generation, names)
    print(asked)
    """


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue whose first generation has `old` and `reference 1`."""
    opened = Catalogue.open(tmp_path / "catalogue", SMALL)
    opened.add("old", sound(0), picture(1))
    opened.add("reference 1", sound(1), picture(1))
    opened.save()
    return tmp_path / "catalogue"


def test_who_asks_sees_every_change_and_nothing_else(folder: Path) -> None:
    asking = [script(ASKS, folder, GENERATIONS) for _ in range(2)]
    changing = script(CHANGES, folder, GENERATIONS)
    assert done(changing).split() == [str(n) for n in range(2, GENERATIONS + 1)]
    for process in asking:
        assert int(done(process)) > 1
    assert parts_on_disk(folder) == named_parts(folder)


# A child adds references one after the other, and says so; it is killed at some time, and another one goes on.
KILLED_AT_RANDOM = """
    import signal
    from sordino.fingerprints import parts
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(5)

    def add(start, pipe):
        opened = Catalogue.open(folder, SMALL)
        for k in range(start, start + 1000):
            opened.add(f"added {k}", sound(k), drawn(k))
            if k % 3 == 0:
                opened.remove(f"added {k - 1}")
            opened.save()
            os.write(pipe, f"{k}\\n".encode())

    parts.build([parts.Prints("", sound(0), drawn(0))], SMALL)  # loads kernels, once for all children
    started, said = 0, []
    for _ in range(rounds):
        reads, writes = os.pipe()
        child = os.fork()
        if not child:
            add(started, writes)
            os._exit(1)
        os.close(writes)
        with os.fdopen(reads) as pipe:
            said += [int(pipe.readline()) for _ in range(rng.integers(0, 4))]
            time.sleep(rng.uniform(0.0, 0.08))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            said += map(int, pipe.read().split())
        there = Catalogue.open(folder, SMALL).reference_ids
        started = 1 + max([-1, *(int(name.split()[1]) for name in there if name.startswith("added"))])
        assert all(f"added {k}" in there for k in said if (k + 1) % 3), "something saved is gone"
        assert not {f"added {k}" for k in range(2, started - 1, 3)} & there, "something removed is back"
    print(json.dumps(said))
    """


def test_saves_and_merges_killed_at_random_lose_nothing_that_was_said_to_be_saved(folder: Path) -> None:
    said = json.loads(done(script(KILLED_AT_RANDOM, folder, 15)))
    assert len(said) > 10
    opened = Catalogue.open(folder, SMALL)
    opened.add("last", sound(1), picture(2))
    opened.save()
    assert parts_on_disk(folder) == named_parts(folder)
    assert not list(folder.glob("*.new"))
    kept = {p.reference_id: p for p in opened._prints_of(opened._generation.entries)}
    assert set(kept) == opened.reference_ids
    for k in said:
        if (k + 1) % 3:
            assert kept[f"added {k}"].audio.frames.tolist() == sound(k).frames.tolist()
            assert kept[f"added {k}"].video.words.tolist() == drawn(k).words.tolist()
    assert found(opened, None, view(2)) == ["last"]
