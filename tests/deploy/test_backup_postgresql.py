"""On PostgreSQL a database is lost and comes back by the commands of the manual."""

import os
import re
import secrets
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests import services
from tests.epmm.processes import ROOT
from tests.epmm.test_up import Installation
from tests.migrated import DATABASE_URL

pytestmark = pytest.mark.service("postgresql")
USE_KEY = "from enrollment.services import authorities; authorities.device_ca(); print('opened')"

IS_VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'device_search_text'::regclass"


class Lost:
    """A database of an account that is no superuser, and what the manual says about it."""

    def __init__(self) -> None:
        self.name = f"epmm_{secrets.token_hex(4)}"
        self._say("CREATE ROLE {} LOGIN", f"CREATE DATABASE {{}} OWNER {self.name}")
        self.url = urlsplit(DATABASE_URL)._replace(netloc=self._location(), path=f"/{self.name}").geturl()

    def lose(self) -> None:
        self._say("DROP DATABASE {}")

    def clean_up(self) -> None:
        self._say("DROP DATABASE IF EXISTS {} WITH (FORCE)", "DROP ROLE {}")

    def run(self, program: str, file: Path) -> None:
        """As the manual has it; only names and places are of this test."""
        manual = (ROOT / "docs" / "operations.md").read_text()
        backup = manual.partition("\n## Backup\n")[2]
        (first, *_) = re.findall(rf"`({program} [^`]+)`", backup)
        own = {"epmm": self.name, "--file=epmm.dump": f"--file={file}", "epmm.dump": str(file)}
        own |= {"--role=epmm": f"--role={self.name}", "--dbname=epmm": f"--dbname={self.name}"}
        name, *words = shlex.split(first)
        command = [str(services.postgresql_programs() / name), *(own.get(word, word) for word in words)]
        there = urlsplit(DATABASE_URL)
        environment = os.environ | {"PGHOST": "127.0.0.1", "PGPORT": str(there.port), "PGUSER": str(there.username)}
        subprocess.run(command, env=environment, check=True)

    def _location(self) -> str:
        there = urlsplit(DATABASE_URL)
        return f"{self.name}@{there.hostname}:{there.port}"

    def _say(self, *statements: str) -> None:
        with psycopg.connect(DATABASE_URL, autocommit=True) as connection:
            for statement in statements:
                connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))


def manage(installation: Installation, *arguments: str) -> str:
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    environment = installation.environment | {"EPMM_PUBLIC_URL": f"https://mdm.example.test:{installation.port}"}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_what_is_lost_comes_back(tmp_path: Path) -> None:
    lost, file = Lost(), tmp_path / "epmm.dump"
    before, after = (Installation(tmp_path / name, lost.url) for name in ("before", "after"))
    for each in (before, after):
        each.data.mkdir(parents=True, mode=0o700)
    try:
        before.start()
        manage(before, "adduser", "anna")
        lost.run("pg_dump", file)  # while it runs
        assert before.stop() == 0
        lost.lose()
        for program in ("createdb", "pg_restore", "vacuumdb"):
            lost.run(program, file)

        manage(after, "migrate", "--check")
        after.start()

        assert after.get("/healthz") == 200
        assert "one-time password" not in after.log, "its administrator is there"
        assert manage(after, "shell", "--no-imports", "--command", USE_KEY) == "opened\n"
        manage(after, "pin", "anna")
        manage(after, "setting", "general.enterprise_name", "After")  # numbers go on where they were
        with psycopg.connect(lost.url) as connection:
            found = connection.execute(
                "SELECT indisvalid FROM pg_index WHERE indexrelid = 'device_search_text'::regclass"
            )
            assert found.fetchone() == (True,)
            known = connection.execute("SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'users_user'")
            assert known.fetchone() == (True,), "plans are made from what the tables hold"
        assert after.stop() == 0
    finally:
        for each in (before, after):
            if each.process is not None and each.process.poll() is None:
                each.stop()
        lost.clean_up()
