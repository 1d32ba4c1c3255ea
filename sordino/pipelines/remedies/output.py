"""A file that is there wholly or not at all."""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sordino.pipelines.remedies.plan import RemedyError

_NOT_KNOWN = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}  # what systems say that have no O_TMPFILE


def check_free(source: Path, out: Path, *, overwrite: bool) -> None:
    """Refuse at once what could not be written at the end; raises RemedyError: same_file, exists, not_writable."""
    if out.exists() and source.exists() and out.samefile(source):
        raise RemedyError("same_file", f"{out}: the output is the input")
    if out.is_dir() or (out.exists() and not out.is_file()):
        raise RemedyError("exists", f"{out} is there and is no regular file")
    if out.exists() and not overwrite:
        raise RemedyError("exists", f"{out} is there already (--overwrite replaces it)")
    if not out.parent.is_dir():
        raise RemedyError("not_writable", f"{out} can't be written: there is no such folder")
    if not os.access(out.parent, os.W_OK | os.X_OK):
        raise RemedyError("not_writable", f"{out} can't be written: its folder may not be written to")


@contextmanager
def written(out: Path, *, overwrite: bool) -> Iterator[int]:
    """
    Open a file to write to, which gets the name `out` when all went well; then it is on the disk.

    Until then it has no name where the system can do that, so that not even a kill leaves a part of it behind. Raises
    RemedyError: exists, not_writable, disk_full.
    """
    try:
        with _nameless(out) as (file, name):
            yield file
            os.fsync(file)
            _name(file, name, out, overwrite=overwrite)
    except FileExistsError:
        raise RemedyError("exists", f"{out} is there already (--overwrite replaces it)") from None
    except OSError as error:
        code = "disk_full" if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG} else "not_writable"
        raise RemedyError(code, f"{out} can't be written: {error.strerror}") from error


@contextmanager
def _nameless(out: Path) -> Iterator[tuple[int, Path | None]]:
    name = None
    try:
        file = os.open(out.parent, os.O_TMPFILE | os.O_RDWR, 0o666)
    except OSError as error:
        if error.errno not in _NOT_KNOWN or not out.parent.is_dir():
            raise
        name = _beside(out)
        file = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    try:
        yield file, name
    finally:
        os.close(file)
        if name is not None:
            with contextlib.suppress(FileNotFoundError):
                name.unlink()


def _name(file: int, name: Path | None, out: Path, *, overwrite: bool) -> None:
    if name is None and not overwrite:
        _link(file, out)
    else:
        if name is None:
            name = _beside(out)
            _link(file, name)
        elif not overwrite and out.exists():
            raise FileExistsError
        name.replace(out)
    folder = os.open(out.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _link(file: int, name: Path) -> None:
    os.link(f"/proc/self/fd/{file}", name, src_dir_fd=file, follow_symlinks=True)  # else Python would not follow


def _beside(out: Path) -> Path:
    return out.with_name(f".{out.name[:200]}.{secrets.token_hex(4)}")
