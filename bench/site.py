"""A product to measure: settings of its own, a database that is thrown away, and Django set up in this process."""

import logging
import os
import secrets
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg

from tests import migrated
from tests.services import postgresql

ROOT: Final = Path(__file__).resolve().parent.parent
HERE: Final = "127.0.0.1"
HOST: Final = "mdm.example.test"
# Nothing that makes it faster: what it answers is on disk.  The library counts statements.
CLUSTER: Final = ("shared_preload_libraries=pg_stat_statements",)
START_SECONDS: Final = 60
_DURABILITY: Final = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    directory: Path
    database_url: str  # empty: SQLite in the directory
    environment: Mapping[str, str]  # for the product's processes
    about: str  # of the database, with what it does to keep things


@contextmanager
def opened(database: str, *, port: int = 8443, server: Sequence[str] = (), **environment: str) -> Iterator[Site]:
    """`database` is `postgresql` or `sqlite`; `server`: more settings of the first."""
    with scratch() as directory:
        if database == "sqlite":
            yield set_up(directory, "", port, environment)
        else:
            with postgresql(directory / "postgresql", (*CLUSTER, *server)) as url:
                yield set_up(directory, new_database(url, "epmm"), port, environment)
        close_connections()


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="epmm-bench-") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as an account of its own
        yield Path(name)


def new_database(cluster_url: str, name: str) -> str:
    with _first_connection(cluster_url) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return urlsplit(cluster_url)._replace(path=f"/{name}").geturl()


def _first_connection(url: str) -> psycopg.Connection:
    """The server listens a moment before it serves."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def set_up(directory: Path, database_url: str, port: int, more: Mapping[str, str]) -> Site:
    ours = {
        "EPMM_DATA_DIR": str(directory / "data"),
        "EPMM_PUBLIC_URL": f"https://{HOST}:{port}",
        "EPMM_SECRET_KEY": secrets.token_urlsafe(50),
        "EPMM_FIELD_KEYS": "b1:" + b64encode(secrets.token_bytes(32)).decode(),
        "EPMM_TRUSTED_PROXIES": HERE,
        "DJANGO_SETTINGS_MODULE": "epmm.settings",
    }
    ours |= {"EPMM_DATABASE_URL": database_url} if database_url else {}
    environment = {**without_settings(), **ours, **more}
    os.environ.clear()
    os.environ.update(environment)
    if database_url:
        (directory / "data").mkdir(mode=0o700)
    else:
        migrated.copy_into(directory / "data")
    _start_django(directory, is_empty=bool(database_url))
    return Site(directory=directory, database_url=database_url, environment=environment, about=_about(database_url))


def without_settings() -> dict[str, str]:
    """The environment of whoever measures, but for an installation it names."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("EPMM_", "DJANGO_"))}


def _start_django(directory: Path, *, is_empty: bool) -> None:
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    quieten(directory)
    if is_empty:
        with connection.cursor() as cursor:  # it may be lost: only what is measured is made sure of
            cursor.execute("SET synchronous_commit = off")
        call_command("migrate", interactive=False, verbosity=0)
        connection.close()


def quieten(directory: Path) -> None:
    """The lines of the log are written, but not among the figures."""
    log = (directory / "log").open("a")  # for as long as the process lives
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(log)


def _about(database_url: str) -> str:
    if not database_url:
        return "SQLite, WAL, synchronous=FULL"
    with psycopg.connect(database_url) as connection:
        values = [(name, connection.execute(f"SHOW {name}").fetchone()) for name in _DURABILITY]
        version = connection.info.server_version // 10_000
    said = ", ".join(f"{name}={value[0]}" for name, value in values if value)
    return f"PostgreSQL {version}, {said}, pg_stat_statements counts"


def close_connections() -> None:
    """What measured in threads has closed its own."""
    from django.db import connections

    connections.close_all()
    sys.stdout.flush()
