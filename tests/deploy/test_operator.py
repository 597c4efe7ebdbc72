"""`deploy/epmm`: a command of the operator gets what the processes get, and the words as they were typed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.test_files import DEPLOY, SERVICES, Unit

# What is asked of systemd, played: credentials, the environment file, and variables in what it runs.
SYSTEMD_RUN = """
import os, re, sys
begin = sys.argv.index("/bin/sh")
options, command = sys.argv[1:begin], sys.argv[begin:]
properties = [option.removeprefix("--property=").split("=", 1) for option in options if "--property=" in option]
os.environ.update(CREDENTIALS_DIRECTORY="/run/credentials/it", ASKED=repr(properties), OPTIONS=" ".join(options))
os.chdir("/")
taken = [re.sub(r"[$]([$]|[{]?[A-Za-z]+[}]?)", lambda it: "$" if it[1] == "$" else "TAKEN", word) for word in command]
os.execv(taken[0], taken)
"""
MANAGE = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]))"
SAME = ("User", "Group", "UMask", "StateDirectory", "StateDirectoryMode", "EnvironmentFile", "LoadCredential")
ODD = ["$HOME", "${PATH}", "$$", "100% %n", 'a "quoted" \\ word', "two\nlines\n", "", "--property=User=root", "'"]


@pytest.fixture
def laid_out(tmp_path: Path) -> Path:
    """The script, with its release and its systemd here."""
    release, programs = tmp_path / "current", tmp_path / "programs"
    (release / ".venv" / "bin").mkdir(parents=True)
    (release / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (release / "manage.py").write_text(MANAGE)
    programs.mkdir()
    for name, content in {"systemd-run": f"#!{sys.executable}\n{SYSTEMD_RUN}", "id": "#!/bin/sh\necho $ID\n"}.items():
        (programs / name).write_text(content)
        (programs / name).chmod(0o755)
    script = (DEPLOY / "epmm").read_text()
    (tmp_path / "epmm").write_text(script.replace("/opt/epmm/current", str(release)))
    return tmp_path


def ran(laid_out: Path, *words: str, account: str = "0") -> subprocess.CompletedProcess[str]:
    place = laid_out / "a $place"
    place.mkdir()
    environment = {"PATH": f"{laid_out / 'programs'}:{os.environ['PATH']}", "ID": account}
    return subprocess.run(
        ["sh", str(laid_out / "epmm"), *words], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def test_a_command_gets_its_words_where_they_were_typed(laid_out: Path) -> None:
    done = ran(laid_out, "setting", *ODD)

    words, place, environment = json.loads(done.stdout)
    assert words == ["setting", *ODD]
    assert place == str(laid_out / "a $place")
    for name in ("SECRET_KEY", "FIELD_KEYS", "DATABASE_URL"):
        assert environment[f"EPMM_{name}_FILE"] == f"/run/credentials/it/{name.lower()}"
    assert "--description=EPMM: setting " in environment["OPTIONS"] + " "  # the journal sees no more of it


def test_a_command_gets_what_the_processes_get(laid_out: Path) -> None:
    _, _, environment = json.loads(ran(laid_out, "doctor").stdout)
    asked = ast.literal_eval(environment["ASKED"])

    for path in SERVICES:
        for name in (
            "User",
            "Group",
            "UMask",
            "StateDirectory",
            "StateDirectoryMode",
            "EnvironmentFile",
            "LoadCredential",
        ):
            assert [value for key, value in asked if key == name] == Unit(path).said("Service", name), name


def test_nobody_but_root_has_the_secrets_to_hand_over(laid_out: Path) -> None:
    done = ran(laid_out, "doctor", account="1000")

    assert (done.returncode, done.stdout) == (1, "")
    assert "root alone" in done.stderr
