"""What the operator's entry says when it cannot begin, or when nobody reads on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

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


def test_whoever_reads_no_further_sees_no_traceback(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "manage.py", "help"],
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
