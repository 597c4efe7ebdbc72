"""An installation is lost and comes back from one file; a file that is none changes nothing."""

import io
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tracemalloc
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from pytest_django.fixtures import Settings

from epmm import bootstrap, locks
from tests import migrated
from tests.epmm.processes import ROOT

pytestmark = pytest.mark.service("sqlite")


class Embedded:
    """A data directory, and the commands as called in this process: their work is with files alone."""

    def __init__(self, data: Path) -> None:
        self.data = data
        bootstrap.make_secrets(data)
        with closing(sqlite3.connect(data / "epmm.sqlite3")) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript("CREATE TABLE users_user (user_id text); INSERT INTO users_user VALUES ('anna');")

    def done(self, *arguments: str) -> str:
        said = io.StringIO()
        call_command(*arguments, stdout=said)
        return said.getvalue()

    def refused(self, *arguments: str) -> str:
        with pytest.raises(CommandError) as refusal:
            call_command(*arguments)
        return str(refusal.value)

    def people(self) -> list[str]:
        with closing(sqlite3.connect(self.data / "epmm.sqlite3")) as database:
            return [name for (name,) in database.execute("SELECT user_id FROM users_user")]

    def lose_database(self) -> None:
        for path in self.data.glob("epmm.sqlite3*"):
            path.unlink()

    def change_secrets(self) -> None:
        shutil.rmtree(self.data / "secrets")
        bootstrap.make_secrets(self.data)


def managed(data: Path, *arguments: str, check: bool = False) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("EPMM_", "DJANGO_"))}
    environment = kept | {"EPMM_DATA_DIR": str(data), "EPMM_PUBLIC_URL": "https://mdm.example.test"}
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=check)


def contents(directory: Path) -> dict[str, bytes | None]:
    """Files and folders by their names, but for locks, which come with a look."""
    found = {path.relative_to(directory): path for path in directory.rglob("*") if path.suffix != ".lock"}
    return {str(name): path.read_bytes() if path.is_file() else None for name, path in found.items()}


@pytest.fixture
def embedded(tmp_path: Path, settings: Settings) -> Embedded:
    settings.DATA_DIR = tmp_path / "data"
    return Embedded(tmp_path / "data")


def test_what_is_lost_comes_back_with_its_secrets(tmp_path: Path) -> None:
    """The whole story, with the real commands."""
    data, file = tmp_path / "data", tmp_path / "copy.tar.gz"

    def manage(*arguments: str) -> str:
        return managed(data, *arguments, check=True).stdout

    migrated.copy_into(data)
    bootstrap.make_secrets(data)
    manage("prepare")
    assert manage("backup", str(file), "--with-secrets") == f"{file}: database and secrets\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    shutil.rmtree(data)

    assert manage("restore", str(file)) == f"restored from {file}\n"
    use_key = "from enrollment.services import authorities; authorities.device_ca(); print('opened')"
    assert manage("shell", "--no-imports", "--command", use_key) == "opened\n"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (data / "secrets").iterdir()} == {0o600}


def test_without_secrets_anywhere_it_is_said_where_they_belong(embedded: Embedded, tmp_path: Path) -> None:
    file, lost = tmp_path / "copy.tar.gz", tmp_path / "lost"
    embedded.done("backup", str(file))

    refused = managed(lost, "restore", str(file))
    assert (refused.returncode, contents(lost)) == (1, {})
    assert f"put secret_key and field_keys, which it was made with, into {lost / 'secrets'} first" in refused.stderr

    shutil.copytree(embedded.data / "secrets", lost / "secrets")
    assert managed(lost, "restore", str(file)).returncode == 0


def test_new_secrets_give_way_to_those_of_the_backup(embedded: Embedded, tmp_path: Path) -> None:
    embedded.done("backup", str(tmp_path / "copy"), "--with-secrets")
    copied = contents(embedded.data / "secrets")
    shutil.rmtree(embedded.data)
    bootstrap.make_secrets(embedded.data)

    assert "what was there is in" in embedded.done("restore", str(tmp_path / "copy"))
    assert contents(embedded.data / "secrets") == copied


def test_it_is_a_copy_of_what_is_done_not_of_what_is_begun(embedded: Embedded, tmp_path: Path) -> None:
    with closing(sqlite3.connect(embedded.data / "epmm.sqlite3")) as running:
        running.execute("BEGIN")
        running.execute("DELETE FROM users_user")
        embedded.done("backup", str(tmp_path / "copy"))
        running.commit()
    embedded.done("restore", str(tmp_path / "copy"), "--replace")

    assert embedded.people() == ["anna"]


def test_a_copy_without_secrets_says_so(embedded: Embedded, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar.gz"
    assert "without its secrets" in embedded.done("backup", str(file))
    with tarfile.open(file) as archive:
        assert archive.getnames() == ["manifest.json", "epmm.sqlite3"]

    said = embedded.done("restore", str(file), "--replace")
    assert "the keys it was made with must be in place" in said
    (aside,) = embedded.data.glob("before-restore-*")
    assert (aside / "epmm.sqlite3").is_file()


def test_secrets_that_are_replaced_are_set_aside_with_what_they_open(embedded: Embedded, tmp_path: Path) -> None:
    embedded.done("backup", str(tmp_path / "copy"), "--with-secrets")
    copied = contents(embedded.data / "secrets")
    embedded.change_secrets()
    replaced = contents(embedded.data / "secrets")

    embedded.done("restore", str(tmp_path / "copy"), "--replace")

    (aside,) = embedded.data.glob("before-restore-*")
    assert contents(embedded.data / "secrets") == copied
    assert contents(aside / "secrets") == replaced
    assert {stat.S_IMODE(path.stat().st_mode) for path in (aside, aside / "secrets")} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (aside / "secrets").iterdir()} == {0o600}


def test_nothing_but_the_database_is_left_of_a_restore(embedded: Embedded, tmp_path: Path) -> None:
    embedded.done("backup", str(tmp_path / "copy"))
    embedded.lose_database()
    (embedded.data / "restoring").mkdir()  # of one that was killed

    embedded.done("restore", str(tmp_path / "copy"))

    assert {path.name for path in embedded.data.iterdir() if path.suffix != ".lock"} == {"epmm.sqlite3", "secrets"}


def test_what_fails_half_way_is_undone(embedded: Embedded, tmp_path: Path) -> None:
    embedded.done("backup", str(tmp_path / "copy"), "--with-secrets")
    shutil.rmtree(embedded.data / "secrets")
    (embedded.data / "secrets").write_text("no folder")  # found when the database is aside already
    before = contents(embedded.data)

    assert "Not a directory" in embedded.refused("restore", str(tmp_path / "copy"), "--replace")
    assert contents(embedded.data) == before


def test_a_database_is_not_overwritten(embedded: Embedded, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar.gz"
    embedded.done("backup", str(file))

    assert "is there already" in embedded.refused("backup", str(file))
    assert "holds a database; --replace" in embedded.refused("restore", str(file))


@pytest.mark.parametrize("harm", ["no database", "no tables"])
def test_where_no_installation_is_nothing_is_copied(embedded: Embedded, tmp_path: Path, harm: str) -> None:
    embedded.lose_database()
    if harm == "no tables":
        (embedded.data / "epmm.sqlite3").touch()

    assert "holds no installation: --data or EPMM_DATA_DIR" in embedded.refused("backup", str(tmp_path / "copy"))
    assert not (tmp_path / "copy").exists()


def test_a_database_that_cannot_be_read_is_not_copied(embedded: Embedded, tmp_path: Path) -> None:
    (embedded.data / "epmm.sqlite3").write_bytes(b"no database" * 100)

    said = embedded.refused("backup", str(tmp_path / "copy"))
    assert said == f"{tmp_path / 'copy'} was not written: file is not a database"


def test_a_running_installation_is_left_alone(embedded: Embedded, tmp_path: Path) -> None:
    file = tmp_path / "copy.tar.gz"
    embedded.done("backup", str(file))

    with locks.held(embedded.data / "children.lock"):
        assert "stop it first" in embedded.refused("restore", str(file), "--replace")


@pytest.mark.parametrize("harm", ["empty", "cut", "damaged", "other", "a list", "without a key", "without tables"])
def test_a_file_that_is_no_backup_changes_nothing(embedded: Embedded, tmp_path: Path, harm: str) -> None:
    file = tmp_path / "copy.tar.gz"
    embedded.done("backup", str(file), "--with-secrets")
    embedded.change_secrets()
    before = contents(embedded.data)
    spoil(file, harm)

    assert f"{file} cannot be restored" in embedded.refused("restore", str(file), "--replace")
    assert contents(embedded.data) == before
    assert embedded.people() == ["anna"]


@pytest.mark.parametrize("options", [[], ["--replace"]])
def test_that_there_is_no_file_is_said_first(embedded: Embedded, tmp_path: Path, options: list[str]) -> None:
    assert embedded.refused("restore", str(tmp_path / "copy"), *options) == f"there is no file {tmp_path / 'copy'}"


def test_a_database_may_be_larger_than_the_memory(embedded: Embedded, tmp_path: Path) -> None:
    with closing(sqlite3.connect(embedded.data / "epmm.sqlite3")) as database, database:
        database.execute("CREATE TABLE large AS SELECT zeroblob(32 << 20)")
    tracemalloc.start()

    embedded.done("backup", str(tmp_path / "copy"))
    embedded.done("restore", str(tmp_path / "copy"), "--replace")

    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20
    assert (embedded.data / "epmm.sqlite3").stat().st_size > 32 << 20


def spoil(file: Path, harm: str) -> None:
    match harm:
        case "empty":
            file.write_bytes(b"")
        case "cut":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        case _:
            with tarfile.open(file) as archive:
                archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Debian 12's Python has none
                archive.extractall(file.parent / "inside")
            inside = file.parent / "inside"
            if harm == "damaged":
                database = bytearray((inside / "epmm.sqlite3").read_bytes())
                database[4096:] = bytes(len(database) - 4096)
                (inside / "epmm.sqlite3").write_bytes(database)
            elif harm == "without tables":
                (inside / "epmm.sqlite3").write_bytes(b"")
            elif harm == "without a key":
                (inside / "secrets" / "field_keys").unlink()
            else:
                (inside / "manifest.json").write_text("[]" if harm == "a list" else '{"format": 2}')
            with tarfile.open(file, "w:gz") as archive:
                for path in inside.iterdir():
                    archive.add(path, arcname=path.name)


def test_with_a_database_server_its_own_programs_do_it(
    embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPMM_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")

    assert "use pg_dump" in embedded.refused("backup", str(tmp_path / "copy"))
    assert "use pg_restore" in embedded.refused("restore", str(tmp_path / "copy"))
