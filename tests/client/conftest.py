from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from epmm_client import Client, Server, config
from epmm_client.commands.context import Context
from epmm_client.commands.main import main

ADDRESS = "https://mdm.example.test"
TOKEN = "epmm_of-the-tests"
Handler = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (config.ADDRESS, config.TOKEN, config.CA_FILE, config.PROFILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(config.FILE, str(tmp_path / "config.ini"))


def run(handler: Handler, *words: str, typed: str = "") -> Result:
    """`epmm` with these words, where `handler` is the server."""

    def make(server: Server) -> Client:
        return Client(server, transport=httpx2.MockTransport(handler), sleep=lambda _seconds: None)

    context = Context(config.Asked(), "table", make)
    return CliRunner().invoke(main, words, input=typed, obj=context, catch_exceptions=False)


def client(handler: Handler, slept: list[float] | None = None, **server: Any) -> Client:
    given = Server(**({"address": ADDRESS, "token": TOKEN} | server))
    pauses = slept if slept is not None else []
    return Client(given, transport=httpx2.MockTransport(handler), sleep=pauses.append)
