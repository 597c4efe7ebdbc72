"""Databases that `migrate` has been over, for the processes of a run and for those that tests start.

It takes seconds of computing.  So one is made for all of a run, and each gets a copy.
"""

import hashlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg

from epmm import locks
from tests.epmm.processes import ROOT

DATABASE_URL: Final = os.environ.get("EPMM_DATABASE_URL", "")
SECONDS: Final = 300  # that others wait for whoever makes it
# Of what the outcome depends on: migrations and what they import.
SOURCES: Final = ("*/migrations/*.py", "epmm/*.py", "devices/search/sql.py", "requirements.txt")


def copy_into(data: Path) -> None:
    """The database of an installation on SQLite."""
    data.mkdir(mode=0o700)
    shutil.copy(sqlite(), data / "epmm.sqlite3")


def new_database(*, is_empty: bool = False) -> str:
    """A PostgreSQL URL."""
    name = f"up_{secrets.token_hex(4)}"
    _create(name, "template1" if is_empty else postgresql())
    return _url(name)


@cache
def sqlite() -> Path:
    """What others are copied from: nobody opens it."""
    kept = Path(tempfile.gettempdir()) / f"epmm-migrated-{os.getuid()}-{_version()}"
    with locks.held(kept.with_suffix(".lock"), wait=SECONDS):
        if not kept.exists():
            with tempfile.TemporaryDirectory() as name:
                _migrate(Path(name), "")
                (Path(name) / "epmm.sqlite3").rename(kept)
    return kept


@cache
def postgresql() -> str:
    """The name of the template: nobody connects to it."""
    name = f"migrated_{_version()}"
    with locks.held(Path(tempfile.gettempdir()) / f"epmm-{name}.lock", wait=SECONDS), _connected() as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            building = f"{name}_{secrets.token_hex(4)}"
            _create(building, "template1")
            with tempfile.TemporaryDirectory() as directory:
                _migrate(Path(directory), _url(building))
            renamed = psycopg.sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(renamed.format(*map(psycopg.sql.Identifier, (building, name))))
    return name


@cache
def _version() -> str:
    content = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern)):
        content.update(path.read_bytes())
    return content.hexdigest()[:16]


def _migrate(data: Path, database: str) -> None:
    ours = {"DJANGO_SETTINGS_MODULE": "epmm.settings", "EPMM_DATA_DIR": str(data), "EPMM_DATABASE_URL": database}
    command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--verbosity=0"]
    subprocess.run(command, env=os.environ | ours, check=True)


def _create(name: str, template: str) -> None:
    statement = psycopg.sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with _connected() as connection:
        connection.execute(statement.format(*map(psycopg.sql.Identifier, (name, template))))


def _connected() -> psycopg.Connection:
    return psycopg.connect(DATABASE_URL, autocommit=True)


def _url(name: str) -> str:
    return urlsplit(DATABASE_URL)._replace(path=f"/{name}").geturl()
