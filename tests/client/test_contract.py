"""Every call that the client makes is one that the server's document knows, and reads what the document shows."""

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
import pytest
from jsonschema import Draft202012Validator

from devices.services import label_files
from epmm.row_files import Column
from epmm_client import config
from epmm_client.commands import devices as label_words
from epmm_client.commands import users as user_words
from epmm_client.commands.main import main
from tests.client.conftest import ADDRESS, TOKEN, run
from users.api import document
from users.services import people_files

UUID: Final = "9b0da853-0000-0000-0000-f4b5457299cf"
WORDS: Final = (
    ("devices", "search", 'common.status="ACTIVE"'),
    ("devices", "count", "iPhone"),
    ("devices", "fields"),
    ("devices", "show", "C7XXXXXXXXXX"),
    ("devices", "lock", UUID, "--message", "Call us", "--phone", "112", "--pin", "123456", "--note", "lost"),
    ("devices", "unlock", UUID),
    ("devices", "check-in", UUID),
    *(("devices", action, UUID) for action in ("push-profiles", "update-os", "lost", "found")),
    ("devices", "message", UUID, "--subject", "Hello", "--message", "Come and see us."),
    ("devices", "retire", UUID, "--yes"),
    ("devices", "wipe", UUID, "--yes", "--pin", "123456", "--note", "lost"),
    ("labels", "list"),
    ("users", "list", "m", "--source", "local", "--enabled", "--limit", "5"),
    ("users", "show", "mia"),
    ("users", "show", UUID),
    ("users", "add", "mia", "--managed-apple-account", "mia@example.com"),
    ("users", "assign-role", "mia", "apple.adde", "portal.lock", "--managed-apple-account", "mia@example.com"),
    ("users", "remove-role", "mia", "portal"),
    ("users", "enable", "mia"),
    ("users", "disable", "mia"),
    ("labels", "export"),
    ("labels", "import", "-", "--dry-run"),
    ("users", "export"),
    ("users", "import", "-", "--dry-run"),
    ("roles",),
    ("doctor",),
)


class Documented:
    """Answers with the examples of the document, and says what it does not know."""

    def __init__(self) -> None:
        self.document = document.document()
        self.called: set[str] = set()
        self.wrong: list[str] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path == "/status/status.html":
            return httpx2.Response(200, text="MOBILEIRON-STATUS: OK")
        operation = self._operation(request.method.lower(), path)
        if operation is None:
            self.wrong.append(f"{request.method} {path} is not in the document")
            return httpx2.Response(404)
        self.called.add(operation["operationId"])
        self.wrong += [f"{request.method} {path}: {what}" for what in self._faults(operation, request)]
        return self._example(operation)

    def _operation(self, method: str, path: str) -> Any:
        """The address that has fewest places to fill in goes first."""
        for template in sorted(self.document["paths"], key=lambda each: (each.count("{"), each)):
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
            if re.fullmatch(pattern, path) and method in self.document["paths"][template]:
                return self.document["paths"][template][method]
        return None

    def _faults(self, operation: Any, request: httpx2.Request) -> Iterator[str]:
        known = {(each["in"], each["name"].lower()): each["schema"] for each in operation.get("parameters", ())}
        for name, text in parse_qsl(request.url.query.decode(), keep_blank_values=True):
            if ("query", name.lower()) not in known:
                yield f"{name} is no parameter"
            else:
                schema = known["query", name.lower()]
                yield from self._errors(schema, _typed(schema, text))
        if "Idempotency-Key" in request.headers and ("header", "idempotency-key") not in known:
            yield "it takes no Idempotency-Key"
        if request.content:
            body = operation.get("requestBody")
            if body is None:
                yield "it has no body"
            else:
                yield from self._errors(body["content"]["application/json"]["schema"], _sent(request))

    def _errors(self, schema: Any, value: Any) -> Iterator[str]:
        whole = schema | {"components": self.document["components"]}
        yield from (error.message for error in Draft202012Validator(whole).iter_errors(value))

    @staticmethod
    def _example(operation: Any) -> httpx2.Response:
        status, told = next((int(s), t) for s, t in operation["responses"].items() if s.startswith("2"))
        if "content" not in told:
            return httpx2.Response(status)
        examples = told["content"]["application/json"]["examples"]
        return httpx2.Response(status, json=next(iter(examples.values()))["value"])


def _sent(request: httpx2.Request) -> Any:
    raw = request.content
    return json.loads(gzip.decompress(raw) if request.headers.get("Content-Encoding") == "gzip" else raw)


def _typed(schema: Any, text: str) -> Any:
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if "integer" in kinds:
        return int(text)
    return {"true": True, "false": False}.get(text, text) if "boolean" in kinds else text


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_the_document_knows_what_the_command_asks(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(config.ADDRESS, ADDRESS)
    monkeypatch.setenv(config.TOKEN, TOKEN)
    server = Documented()

    result = run(server.answer, "-o", "json", *words, typed="user_id\nmia\n")

    assert server.wrong == []
    assert server.called
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("told", "taken"), [(label_words.EXPORTED, label_files.COLUMNS), (user_words.EXPORTED, people_files.COLUMNS)]
)
def test_an_export_has_the_columns_of_an_import(told: Sequence[str], taken: Sequence[Column]) -> None:
    assert sorted(told) == sorted(column.name for column in taken)


def test_every_command_is_held_against_the_document() -> None:
    elsewhere = {("api",), ("login",), ("completion",)}
    groups = {(name,) for name, command in main.commands.items() if not hasattr(command, "commands")}
    inner = {(name, each) for name, command in main.commands.items() for each in getattr(command, "commands", {})}

    held = {words[: 1 if words[0] in ("roles", "doctor") else 2] for words in WORDS}
    assert held == (groups | inner) - elsewhere
