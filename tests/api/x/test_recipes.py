"""The recipes of docs/api.md, carried out line by line."""

import json
import re
import shlex
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from enrollment import reasons
from enrollment.models import AttemptStep, Step
from enrollment.services import trace
from epmm import options, settings_store
from tests import factories
from tests.api.conftest import Script
from users.models import RegistrationPin, User
from users.services import pins

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
MANUAL: Final = (Path(__file__).resolve().parents[3] / "docs/api.md").read_text()
RECIPES: Final = dict(re.findall(r"^### (\d+)\. .*?^```sh\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL))
LINE: Final = re.compile(r"(?:(?P<name>\w+)=\$\()?api (?P<call>.*?)(?: \| jq -r '(?P<path>\S+?)')?(?(name)\))")


class Shell:
    """As much of one as the recipes use: `api`, `jq -r` with a path, and variables."""

    def __init__(self, script: Script) -> None:
        self._script, self.variables = script, dict[str, str]()
        self.printed: list[str] = []

    def run(self, recipe: str) -> None:
        for line in recipe.splitlines():
            if found := LINE.fullmatch(line):
                printed = self._answer(shlex.split(self._filled(found["call"])), found["path"])
                self.printed += printed
                if found["name"]:
                    self.variables[found["name"]] = "\n".join(printed)
            else:
                name, _is, value = self._filled(line).partition("=")
                [self.variables[name]] = shlex.split(value)

    def _filled(self, text: str) -> str:
        """Variables stand outside of single quotation marks."""
        parts = text.split("'")
        parts[::2] = [re.sub(r"\$(\w+)", lambda found: self._quoted(found[1]), part) for part in parts[::2]]
        return "'".join(parts)

    def _quoted(self, name: str) -> str:
        return self.variables[name].replace("\\", "\\\\").replace('"', '\\"')

    def _answer(self, words: list[str], path: str | None) -> list[str]:
        where, headers, method, body, wanted = words.pop(0), {}, "", None, ""
        query: list[tuple[str, str]] = []
        while words:
            match words.pop(0):
                case "-H":
                    name, _colon, value = words.pop(0).partition(": ")
                    headers[name] = value
                case "-X":
                    method = words.pop(0)
                case "--json":
                    body = words.pop(0).encode()
                case "-w":
                    [wanted] = re.findall(r"%header\{(\w+)\}", words.pop(0))
                case "-o":
                    words.pop(0)
                case "-G":
                    method = "GET"
                case "--data-urlencode":
                    name, _is, value = words.pop(0).partition("=")
                    query.append((name, value))
                case other:
                    raise ValueError(other)
        where += f"?{urlencode(query)}" if query else ""
        answer = self._script.ask(method or ("POST" if body else "GET"), where, body, **headers)
        assert answer.status_code < 400, answer.content  # as `curl --fail`
        if wanted:
            return [answer[wanted]]
        return [] if path is None else [_printed(each) for each in _found(json.loads(answer.content), path)]


def _found(value: Any, path: str) -> list[Any]:
    found = [value]
    for name, place in re.findall(r"\.(\w+)(\[\d*\])?", path):
        found = [each[name] for each in found]
        if place:
            found = [item for each in found for item in (each if place == "[]" else [each[int(place[1:-1])]])]
    return found


def _printed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.fixture
def shell(script: Script) -> Shell:
    settings_store.change(options.ENROLLMENT_DOMAINS.name, "example.com", actor="test")
    anna = factories.user("anna", first_name="Anna", last_name="Berg")
    factories.pin(factories.user("ben", first_name="Ben", last_name="Cho"))
    attempt = trace.open_known("a", identifier="anna@example.com", address="192.0.2.7")
    trace.move(attempt, attempt.State.OPEN, user=anna)
    trace.step(attempt, Step.POLICY, result=AttemptStep.Result.REFUSED, reason=reasons.ROLE_MISSING)
    return Shell(script)


def test_1_somebody_is_taken_in(shell: Shell) -> None:
    shell.run(RECIPES["1"])
    shell.run(RECIPES["1"])  # as often as one likes

    mia = User.objects.get(user_id="mia")
    assert mia.role_keys() == {"portal", "apple.adde"}
    assert mia.managed_apple_account == "mia@example.com"
    assert pins.check(mia, shell.variables["PIN"], "test") == RegistrationPin.objects.get(user=mia)


def test_2_accounts_are_given_by_a_pattern(shell: Shell) -> None:
    shell.run(RECIPES["2"])

    assert shell.printed[-4:] == ["", "", "anna.berg@example.com", "ben.cho@example.com"]


def test_3_why_somebody_could_not_enroll(shell: Shell) -> None:
    shell.run(RECIPES["3"])

    assert shell.printed[-1] == str(reasons.ROLE_MISSING.operator)


def test_4_somebody_leaves(shell: Shell) -> None:
    shell.run(RECIPES["4"])

    ben = User.objects.get(user_id="ben")
    assert not ben.is_active
    assert ben.registration_pins.get().revoked_by == "script"


def test_5_a_setting_is_changed(shell: Shell) -> None:
    shell.run(RECIPES["5"])

    assert settings_store.read(options.PIN_LENGTH) == 8
