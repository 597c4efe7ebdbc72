"""How a receiver knows that a request is from us and new: as docs/webhooks.md says, word for word."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from epmm import webhook_message
from epmm.models import Event

TEXT = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
SECRET, FORMER, STRANGE = "whsec_new", "whsec_former", "whsec_strange"
EVENT = Event(kind="webhook.test", data={"message": "Grüße, 'quoted'\n"})
BODY = webhook_message.body(EVENT)
Recipe = Callable[[str, dict[str, str], bytes], bool]


def recipe(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def in_python(_: Path) -> Recipe:
    names: dict[str, Any] = {}
    exec(recipe("python"), names)
    genuine: Recipe = names["is_genuine"]
    return genuine


def in_a_shell(directory: Path) -> Recipe:
    def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
        (directory / "body").write_bytes(body)
        given = {"EPMM_TIMESTAMP": headers["EPMM-Timestamp"], "EPMM_SIGNATURE": headers["EPMM-Signature"]}
        environment = {"PATH": "/usr/bin:/bin", "SECRET": secret, **given}
        return subprocess.run(["sh", "-c", recipe("sh")], cwd=directory, env=environment, check=False).returncode == 0

    return is_genuine


@pytest.mark.parametrize("made", [in_python, in_a_shell])
def test_the_recipe_takes_what_is_ours_and_new(tmp_path: Path, made: Callable[[Path], Recipe]) -> None:
    is_genuine = made(tmp_path)

    def headers(seconds: int = 0) -> dict[str, str]:
        at = datetime.now(UTC) - timedelta(seconds=seconds)
        return webhook_message.headers(EVENT, BODY, [SECRET.encode(), FORMER.encode()], at)

    assert is_genuine(SECRET, headers(), BODY)
    assert is_genuine(FORMER, headers(), BODY)
    assert not is_genuine(STRANGE, headers(), BODY)
    assert not is_genuine(SECRET, headers(), BODY + b" ")
    assert not is_genuine(SECRET, headers(400), BODY), "replayed"
    assert not is_genuine(SECRET, headers(-400), BODY)
    assert not is_genuine(SECRET, headers(400) | {"EPMM-Timestamp": headers()["EPMM-Timestamp"]}, BODY)
