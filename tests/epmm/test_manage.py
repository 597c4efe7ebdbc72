"""The operator's entry: where the database is away, where nothing has asked it yet, and where nobody reads on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import migrated
from tests.epmm.processes import ROOT


def test_a_database_that_is_away_is_one_sentence(tmp_path: Path) -> None:
    installation = {
        "EPMM_DATA_DIR": str(tmp_path),
        "EPMM_DATABASE_URL": "postgres://epmm:secret@127.0.0.1:1/epmm",
        "EPMM_SECRET_KEY": "s" * 60,
        "EPMM_FIELD_KEYS": "k1:" + "A" * 43 + "=",
    }
    command = [sys.executable, "manage.py", "devices"]
    ended = subprocess.run(
        command, cwd=ROOT, env=os.environ | installation, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr.startswith("error: the database does not answer or refuses: connection failed")
    assert len(ended.stderr.splitlines()) == 1
    assert "secret" not in ended.stderr


@pytest.mark.service("sqlite")
def test_the_audit_log_is_verified_by_a_process_that_asked_nothing_before(tmp_path: Path) -> None:
    """All others of our tests have asked: where there is no connection yet, Django knows no mode of a transaction."""
    migrated.copy_into(tmp_path / "data")
    environment = os.environ | {"EPMM_DATA_DIR": str(tmp_path / "data"), "EPMM_SECRET_KEY": "s" * 60}
    environment |= {"EPMM_FIELD_KEYS": "k1:" + "A" * 43 + "="}
    command = [sys.executable, "manage.py", "verify_audit"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert ended.stdout.startswith("The audit log is whole"), ended.stderr


def test_what_is_not_utf_8_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    environment = os.environ | {"EPMM_DATA_DIR": str(tmp_path / "data")}
    command: list[str | bytes] = [sys.executable, "manage.py", "devices", b"\xff"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr) == (1, "error: what was typed is not UTF-8\n")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("words", [[], ["help"]], ids=str)
def test_whoever_reads_no_further_sees_no_traceback(words: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=os.environ | {"EPMM_DATA_DIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + signal.SIGPIPE
