"""Settings: what was typed, then the environment (`SORDINO_*`), then `HOME/sordino.toml`, then the defaults."""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings.exceptions import SettingsError as SourceError

DEFAULT_HOME = Path("~/.sordino")
FILE_NAME = "sordino.toml"


class SettingsError(Exception):
    """A setting that can't be used; the message is one line that names it and where it was set."""

    code = "bad_settings"


class Settings(BaseSettings):
    """Every setting; frozen. Get them by `load`, which tells what is wrong with them in one line."""

    model_config = SettingsConfigDict(env_prefix="SORDINO_", env_ignore_empty=True, frozen=True, extra="forbid")

    home: Path = Field(default=DEFAULT_HOME, description="the embedded database, the catalogue and the media")
    database_url: Annotated[str | None, Field(pattern=r"^(sqlite:///.|postgres(ql)?(\+psycopg)?://)")] = Field(
        default=None, repr=False, description="sqlite:///PATH or postgresql://...; HOME/sordino.db where it is not set"
    )
    kafka_group: Annotated[str, Field(min_length=1, max_length=255)] = "sordino"
    kafka_security: dict[str, str | int | bool] = Field(
        default_factory=dict, repr=False, description="handed to kafka-python: security_protocol, sasl_*, ssl_*"
    )
    media_prefixes: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="where segments' media may come from; none: inline media only"
    )
    policy: str = Field(default="default", min_length=1, description="a packaged policy's name, or a .toml file's path")
    policies: Path | None = Field(default=None, description="rights holders' policies; not set: HOME/policies")
    regime: str | None = Field(default=None, min_length=1, max_length=64, description="instead of the policy's")
    max_segment_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = 3600.0
    metrics_port: Annotated[int | None, Field(gt=0, lt=65_536)] = Field(
        default=None, description="where `monitor` serves Prometheus; not set: nowhere"
    )
    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    max_media_bytes: Annotated[int, Field(gt=0)] = 4 << 30

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return _absolute(home)

    @field_validator("media_prefixes", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value

    @field_validator("media_prefixes", mode="after")
    @classmethod
    def _closed(cls, prefixes: tuple[str, ...]) -> tuple[str, ...]:
        """Give a folder its scheme, and every prefix its slash: that it ends at a name's end is then seen, too."""
        closed = []
        for prefix in prefixes:
            address = Path(prefix).as_uri() if prefix.startswith("/") else prefix
            scheme, separator, place = address.partition("://")
            if not (scheme and separator and place):
                raise ValueError(f"{prefix!r} is no prefix: expected SCHEME://PLACE/ or a folder's absolute path")
            closed.append(address.rstrip("/") + "/")
        return tuple(closed)

    @property
    def policies_folder(self) -> Path:
        """Where rights holders' policies are."""
        return _absolute(self.policies or self.home / "policies")

    @property
    def store_url(self) -> str:
        """The database's URL."""
        return self.database_url or f"sqlite:///{quote(os.fsencode(self.home / 'sordino.db'))}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources; the file lies in the home that the others name."""
        home = init_settings().get("home") or env_settings().get("home") or DEFAULT_HOME
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read(_absolute(Path(home)) / FILE_NAME))


def _read(path: Path) -> dict[str, Any]:
    """Return what the settings file says; that there is none is fine."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    unknown = sorted(values.keys() - (Settings.model_fields.keys() - {"home"}))
    if unknown:
        raise SettingsError(f"{path}: there is no setting {', '.join(unknown)} (for this file)")
    return values


def load(**typed: Any) -> Settings:
    """
    Return the settings; `typed` ones (by name; None counts as not typed) go before all others.

    Raises SettingsError.

    >>> load(home="/srv/sordino", database_url="sqlite:////srv/other.db").store_url
    'sqlite:////srv/other.db'
    """
    try:
        return Settings(**{name: value for name, value in typed.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("; ".join(_told(detail) for detail in error.errors(include_url=False))) from error
    except SourceError as error:  # a value of the environment that is no JSON
        raise SettingsError(str(error).splitlines()[0]) from error


def _told(detail: Any) -> str:
    name, *inner = (str(part) for part in detail["loc"])
    where = ".".join((f"{name} (SORDINO_{name.upper()})", *inner))
    return f"{where}: {detail['msg'].removeprefix('Value error, ')}"


def _absolute(home: Path) -> Path:
    return home.expanduser().absolute()
