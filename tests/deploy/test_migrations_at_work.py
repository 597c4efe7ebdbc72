"""Whoever writes while a migration works on a large table does not wait for it."""

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.epmm.processes import ROOT, eventually
from tests.migrated import new_database

pytestmark = pytest.mark.service("postgresql")
DEVICES = 3000
MOMENT = "SET lock_timeout = '2s'"
WRITE = "UPDATE {} SET id = id WHERE id = (SELECT {}(id) FROM {})"
WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


class Upgrade:
    def __init__(self, data: Path) -> None:
        self.url = new_database()
        kept = {name: value for name, value in os.environ.items() if name != "EPMM_DATA_DIR"}
        self._environment = kept | {
            "EPMM_DATA_DIR": str(data),
            "EPMM_DATABASE_URL": self.url,
            "DJANGO_SETTINGS_MODULE": "epmm.settings",
        }

    def manage(self, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.unsquashed", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)

    def done(self, *arguments: str) -> None:
        assert self.manage(*arguments).wait(300) == 0

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)


@pytest.fixture(scope="module")
def upgrade(tmp_path_factory: pytest.TempPathFactory) -> Upgrade:
    made = Upgrade(tmp_path_factory.mktemp("data"))
    made.done("seed", f"--devices={DEVICES}", "--users=100")
    for name in ("One", "Two"):  # and so two entries of the audit log
        made.done("setting", "general.enterprise_name", name)
    return made


def write(connection: psycopg.Connection, table: str, which: str) -> None:
    names = sql.Identifier(table), sql.SQL(which), sql.Identifier(table)
    connection.execute(sql.SQL(WRITE).format(*names))


@pytest.mark.parametrize(
    ("app", "before", "after", "table", "filled"),
    [
        ("devices", "0009", "0011", "devices_device", "search_text"),
        ("users", "0003", "0004", "users_user", "first_name_folded"),
        ("epmm", "0002", "0003", "epmm_auditentry", ""),
    ],
)
def test_nobody_waits_behind_a_migration_that_waits(
    upgrade: Upgrade, app: str, before: str, after: str, table: str, filled: str
) -> None:
    """Somebody has written the last row and does not commit; each time the migration waits for that, others write."""
    upgrade.done("migrate", "--verbosity=0", app, before)
    waited = False
    with closing(upgrade.connect()) as holder, closing(upgrade.connect()) as other:
        other.execute(MOMENT)
        if filled:
            other.execute(sql.SQL("UPDATE {} SET {} = ''").format(sql.Identifier(table), sql.Identifier(filled)))
        migration = upgrade.manage("migrate", "--verbosity=0", app, after)

        def waits() -> bool:
            (count,) = other.execute(WAITING).fetchone() or (0,)
            return bool(count)

        try:
            while migration.poll() is None:
                with holder.transaction():
                    write(holder, table, "max")
                    eventually(lambda: waits() or migration.poll() is not None)
                    waited |= waits()
                    write(other, table, "min")
        finally:
            migration.kill()
    assert migration.returncode == 0
    assert waited
    with closing(upgrade.connect()) as reader:
        condition = sql.SQL("{} = ''").format(sql.Identifier(filled)) if filled else sql.SQL("false")
        rows = reader.execute(sql.SQL("SELECT id FROM {} WHERE {}").format(sql.Identifier(table), condition)).fetchall()
    assert rows == []
