"""Media comes from the configured places, from no other, and errors say which kind they are."""

import base64
import errno
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sordino.pipelines.failures import Busy
from sordino.pipelines.fetch import FetchLimits, local_media
from sordino.pipelines.messages import Media, Segment
from sordino.pipelines.prefixes import FetchError, allowed, parse_prefixes
from sordino.pipelines.wire import InvalidMessage
from tests.kafka_broker import free_ports
from tests.pipelines.wire_samples import segment

BODY = os.urandom(300_000)
QUICK = FetchLimits(max_bytes=1 << 20, timeout_s=1.0, stall_s=0.5)


def of(uri: str) -> Segment:
    return segment(media=Media(uri=uri))


def fetched(uri: str, *prefixes: str, limits: FetchLimits = QUICK) -> bytes:
    with local_media(of(uri), parse_prefixes(prefixes), limits) as path:
        return path.read_bytes()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.removeprefix("/live/")
        if name.startswith("to/"):
            self.send_response(302)
            self.send_header("Location", base64.urlsafe_b64decode(name[3:]).decode())
            self.end_headers()
        elif name.isdigit():
            self.send_error(int(name))
        elif name == "ok":
            self.answer(len(BODY), BODY)
        elif name == "short":
            self.answer(len(BODY), BODY[:1000])
        elif name == "claims":
            self.answer(1 << 40, b"")
        elif name == "endless":
            self.answer(None, b"x" * (4 << 20))
        elif name == "slow":
            self.answer(100, b"x")
            self.server.go_on.wait(30)  # type: ignore[attr-defined]

    def answer(self, length: int | None, body: bytes) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is inherited
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@contextmanager
def serving() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.go_on = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_address[1]}"
    finally:
        httpd.go_on.set()  # type: ignore[attr-defined]
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def test_inline_media_is_a_file_while_it_is_needed() -> None:
    with local_media(segment(media=Media(inline=base64.b64encode(BODY).decode())), ()) as path:
        assert path.read_bytes() == BODY
    assert not path.exists()


def test_no_media_is_an_invalid_message() -> None:
    with pytest.raises(InvalidMessage, match="media"), local_media(segment(media=None, ended=True), ()):
        pass


def test_a_file_is_used_in_place(tmp_path: Path) -> None:
    media = tmp_path / "with space, 100 %, ü and ::.ts"
    media.write_bytes(BODY)
    with local_media(of(media.as_uri()), parse_prefixes([f"file://{tmp_path}/"])) as path:
        assert path == media
    assert media.exists()


def test_a_prefix_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.ts").write_bytes(BODY)
    (tmp_path / "link").symlink_to("real")
    assert fetched(f"file://{tmp_path}/link/a.ts", f"file://{tmp_path}/link/") == BODY


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ts").symlink_to("/etc/passwd")
    (tmp_path / "in" / "out").symlink_to("/etc")
    for name in ("a.ts", "out/passwd"):
        with pytest.raises(FetchError, match="leads out") as caught:
            fetched(f"file://{tmp_path}/in/{name}", f"file://{tmp_path}/in/")
        assert caught.value.code == "uri_not_allowed"


@pytest.mark.parametrize(
    ("name", "code"),
    [("missing.ts", "media_not_found"), ("folder", "fetch_failed"), ("pipe", "fetch_failed"),
     ("large.ts", "media_too_large"), ("loop", "fetch_failed"), ("x" * 300, "fetch_failed"),
     ("large.ts/a", "media_not_found")],
    ids=["missing", "folder", "pipe", "too large", "loop of links", "name too long", "file as folder"],
)  # fmt: skip
def test_files_that_will_not_do(tmp_path: Path, name: str, code: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    with (tmp_path / "large.ts").open("wb") as file:
        file.truncate(QUICK.max_bytes + 1)
    with pytest.raises(FetchError) as caught:
        fetched(f"file://{tmp_path}/{name}", f"file://{tmp_path}/")
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


PREFIXES = ("file:///srv/media/", "http://cdn.example/live/", "https://Files.Example:8443", "memory://bucket/a/")


@pytest.mark.parametrize(
    "uri",
    ["file:///srv/media/a.ts", "FILE:///srv/media/a.ts", "file://localhost/srv/media/a%20b.ts",
     "http://CDN.example:80/live/a.ts?token=1", "http://cdn.example./live/x", "https://files.example:8443/a",
     "memory://bucket/a/b.ts"],
)  # fmt: skip
def test_allowed(uri: str) -> None:
    allowed(uri, parse_prefixes(PREFIXES))


@pytest.mark.parametrize(
    "uri",
    [
        "file:///srv/media/../../etc/passwd",
        "file:///srv/media/%2e%2e/%2E./etc/passwd",
        "file:///srv/media/./a.ts",
        "file:///srv/media/..%2f..%2fetc/passwd",
        "file:///srv/mediaother/a.ts",
        "file:///etc/passwd",
        "file:/etc/passwd",
        "file:srv/media/a.ts",
        "file://host/srv/media/a.ts",
        "file:///srv/media/a.ts%00.txt",
        "file:///srv/media/a.ts?x",
        "local:///srv/media/a.ts",
        "/srv/media/a.ts",
        "srv/media/a.ts",
        "//srv/media/a.ts",
        "http://cdn.example@evil.example/live/a.ts",
        "http://cdn.example:80@evil.example/live/a.ts",
        "http://user@cdn.example/live/a.ts",
        "http://cdn.example.evil.example/live/a.ts",
        "http://cdn.example:81/live/a.ts",
        "http://cdn.example:0/live/a.ts",
        "http://cdn.example:x/live/a.ts",
        "http://cdn.example\\@evil.example/live/a.ts",
        "http://cdn.example/live/../secret",
        "http://cdn.example/live/%2e%2e/secret",
        "http://cdn.example/live/%252e%252e/secret",
        "http://cdn.example/live/..%2fsecret",
        "http://cdn.example/live/..%5csecret",
        "http://cdn.example/live/a b",
        "http://cdn.example/live/a\nb",
        "http://cdn.example/livestream/a.ts",
        "http://cdn.example/secret",
        "https://cdn.example/live/a.ts",
        "http://[cdn.example/live/a.ts",
        "https://files.example/a",
        "https://\uff46iles.example:8443/a",
        "simplecache::file:///srv/media/a.ts",
        "zip://a.ts::file:///srv/media/a.zip",
        "memory://bucket/a/::file:///etc/passwd",
        "memory://bucket/a/../b/c.ts",
        "memory://bucket/ab.ts",
        "ftp://cdn.example/live/a.ts",
        "data:video/mp4;base64,AAAA",
        " file:///srv/media/a.ts",
        "file:///srv/media/a.ts\r",
    ],
)
def test_not_allowed(uri: str) -> None:
    with pytest.raises(FetchError) as caught:
        allowed(uri, parse_prefixes(PREFIXES))
    assert caught.value.code == "uri_not_allowed"
    assert str(caught.value).isprintable()


@given(st.text(alphabet="./%2eEfF5cC\\a:@?#[]", max_size=30))
def test_no_spelling_leads_out_of_a_folder(tail: str) -> None:
    prefixes = parse_prefixes(["file:///srv/media/"])
    try:
        place = allowed(f"file:///srv/media/{tail}", prefixes)
    except FetchError:
        return
    assert Path(os.path.normpath(place.path)).is_relative_to("/srv/media")


@pytest.mark.parametrize("prefix", ["", "srv/media", "file://host/x/", "nosuch://x/", "http://u@h/", "s3 ://x/"])
def test_prefixes_that_can_not_be(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"media|rotocol"):
        parse_prefixes([prefix])


def test_http(server: str) -> None:
    with local_media(of(f"{server}/live/ok"), parse_prefixes([f"{server}/live/"]), QUICK) as path:
        assert path.read_bytes() == BODY
    assert not path.exists()


def redirect(server: str, target: str) -> str:
    return f"{server}/live/to/{base64.urlsafe_b64encode(target.encode()).decode()}"


def test_redirects_within_the_allowed(server: str) -> None:
    assert fetched(redirect(server, "/live/ok"), f"{server}/live/") == BODY
    assert fetched(redirect(server, redirect(server, f"{server}/live/ok")), f"{server}/live/") == BODY


def test_redirects_out_of_the_allowed(server: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    with serving() as other:
        for target in (f"{other}/live/ok", "/secret", "http://127.0.0.1:1/live/", f"file://{tmp_path}/a"):
            with pytest.raises(FetchError) as caught:
                fetched(redirect(server, target), f"{server}/live/", f"file://{tmp_path}/")
            assert caught.value.code in ("uri_not_allowed", "fetch_failed")


def test_endless_redirects_end(server: str) -> None:
    with pytest.raises(FetchError, match="answers 302"):
        fetched(f"{server}/live/to/{base64.urlsafe_b64encode(b'').decode()}", f"{server}/live/")


@pytest.mark.parametrize(
    ("name", "code"),
    [("404", "media_not_found"), ("410", "media_not_found"), ("403", "fetch_failed"), ("400", "fetch_failed"),
     ("claims", "media_too_large"), ("endless", "media_too_large")],
)  # fmt: skip
def test_http_for_good(server: str, name: str, code: str) -> None:
    with pytest.raises(FetchError) as caught:
        fetched(f"{server}/live/{name}", f"{server}/live/")
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["500", "503", "429", "short", "slow"])
def test_http_for_now(server: str, name: str) -> None:
    with pytest.raises(Busy, match=rf"/live/{name}") as caught:
        fetched(f"{server}/live/{name}", f"{server}/live/")
    assert (caught.value.code, caught.value.patience_s) == ("storage_away", QUICK.patience_s)


def test_no_server_is_busy() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Busy, match="refused"):
        fetched(f"http://127.0.0.1:{port}/a", f"http://127.0.0.1:{port}/")


def test_fsspec() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/a/b.ts", BODY)
    memory.pipe("/bucket/a/large.ts", b"x" * (QUICK.max_bytes + 1))
    assert fetched("memory://bucket/a/b.ts", "memory://bucket/a/") == BODY
    for name, code in (("c.ts", "media_not_found"), ("large.ts", "media_too_large")):
        with pytest.raises(FetchError) as caught:
            fetched(f"memory://bucket/a/{name}", "memory://bucket/a/")
        assert caught.value.code == code


def test_a_full_disk_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        name = "/nowhere"

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def write(self, chunk: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", lambda prefix: Full())
    with pytest.raises(Busy, match="no room"), local_media(segment(media=Media(inline="QUJD")), ()):
        pass
