"""Settings come from where they should, and a wrong one is named in one line."""

import os
from pathlib import Path
from typing import Any

import pytest

from sordino.monitor.settings import SettingsError, load
from sordino.monitor.store import Store


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("SORDINO_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "user"))


def test_defaults(tmp_path: Path) -> None:
    settings = load()
    assert settings.home == tmp_path / "user" / ".sordino"
    assert settings.store_url == f"sqlite:///{settings.home}/sordino.db"
    assert settings.kafka_group == "sordino"
    assert settings.media_prefixes == ()
    assert settings.policy == "default"


def test_typed_goes_before_environment_before_file_before_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sordino.toml").write_text('kafka_group = "file"\npolicy = "file"\nregime = "file"\n')
    monkeypatch.setenv("SORDINO_KAFKA_GROUP", "environment")
    monkeypatch.setenv("SORDINO_POLICY", "environment")
    settings = load(home=tmp_path, kafka_group="typed", policy=None)
    assert (settings.kafka_group, settings.policy, settings.regime) == ("typed", "environment", "file")
    assert settings.max_segment_s == 3600


def test_the_file_lies_in_the_home_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORDINO_HOME", str(tmp_path))
    (tmp_path / "sordino.toml").write_text('kafka_group = "file"\n[kafka_security]\nsasl_mechanism = "PLAIN"\n')
    assert load().kafka_group == "file"
    assert load().kafka_security == {"sasl_mechanism": "PLAIN"}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        pytest.param("https://cdn.example", "https://cdn.example/", id="slash"),
        pytest.param("/srv/media files", "file:///srv/media%20files/", id="folder"),
    ],
)
def test_prefixes_end_where_a_name_ends(typed: str, meant: str) -> None:
    assert load(media_prefixes=[typed]).media_prefixes == (meant,)


@pytest.mark.parametrize(
    "given",
    [
        pytest.param("file:///in/, https://cdn.example/live/", id="environment"),
        pytest.param(["file:///in/", "https://cdn.example/live/"], id="typed"),
    ],
)
def test_media_prefixes_are_a_list_or_separated_by_commas(given: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if isinstance(given, str):
        monkeypatch.setenv("SORDINO_MEDIA_PREFIXES", given)
    settings = load() if isinstance(given, str) else load(media_prefixes=given)
    assert settings.media_prefixes == ("file:///in/", "https://cdn.example/live/")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        pytest.param("MEDIA_PREFIXES", "cdn.example/live/", "SCHEME://", id="prefix without scheme"),
        pytest.param("MAX_SEGMENT_S", "0", "greater than 0", id="no time"),
        pytest.param("MAX_SEGMENT_S", "nan", "MAX_SEGMENT_S", id="not a number"),
        pytest.param("MAX_MEDIA_BYTES", "much", "valid integer", id="word for a number"),
        pytest.param("DATABASE_URL", "mysql://u:secret@h/db", "DATABASE_URL", id="unknown database"),
        pytest.param("KAFKA_SECURITY", "{secret", "kafka_security", id="not JSON"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SORDINO_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert told in str(caught.value)
    assert name.lower() in str(caught.value).lower()
    assert len(str(caught.value).splitlines()) == 1
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(b'kafka_gruop = "x"', "kafka_gruop", id="unknown key"),
        pytest.param(b'home = "/elsewhere"', "home", id="the home, from inside of it"),
        pytest.param(b"kafka_group =", "Invalid value", id="not TOML"),
        pytest.param(b'policy = "\xff"', "utf-8", id="not UTF-8"),
        pytest.param(b"max_media_bytes = -1", "max_media_bytes", id="out of range"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / "sordino.toml").write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        load(home=tmp_path)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_secrets_are_not_shown() -> None:
    settings = load(database_url="postgresql://u:pa55@h/db", kafka_security={"sasl_plain_password": "pa55"})
    assert settings.store_url == "postgresql://u:pa55@h/db"
    assert "pa55" not in repr(settings)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().kafka_group = "other"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["with space", "question?", "hash#", "per%20cent", "ü"])
def test_any_home_holds_its_database(tmp_path: Path, name: str) -> None:
    Store.open(load(home=tmp_path / name).store_url).close()
    assert os.listdir(tmp_path) == [name]
    assert "sordino.db" in os.listdir(tmp_path / name)
