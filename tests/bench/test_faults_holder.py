"""The devices of the fault harness fetch their declarations and report, whatever comes in between."""

import asyncio
import json
from contextlib import suppress

from bench.faults.holder import Holder
from bench.players import TurnedAway

ITEM = {"Identifier": "passcode", "ServerToken": "v1"}
DECLARED: dict[str, object] = {
    "tokens": {"SyncTokens": {"DeclarationsToken": "set 1", "Timestamp": "2026-11-28T00:00:00Z"}},
    "declaration-items": {
        "DeclarationsToken": "set 1",
        "Declarations": {"Activations": [], "Assets": [], "Configurations": [ITEM], "Management": []},
    },
    "declaration/configuration/passcode": {**ITEM, "Type": "com.apple.configuration.passcode.settings", "Payload": {}},
    "status": None,
}
ALL = list(DECLARED)


class Server:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.reports: list[bytes] = []
        self.is_away_for = ""

    async def ask(self, endpoint: str, data: bytes) -> bytes:
        self.asked.append(endpoint)
        self.reports += [data] * (endpoint == "status")
        if endpoint == self.is_away_for:
            raise TurnedAway
        return json.dumps(DECLARED[endpoint]).encode()


def talk(holder: Holder, server: Server, *, has_news: bool = False, away_for: str = "") -> list[str]:
    server.asked, server.is_away_for = [], away_for
    with suppress(TurnedAway):
        asyncio.run(holder.talk(server.ask, has_news=has_news))
    return server.asked


def test_who_is_told_to_synchronize_does_so_until_it_has_succeeded() -> None:
    holder, server = Holder(), Server()
    assert talk(holder, server, has_news=True) == []  # it knows of no declarations yet

    holder.is_behind = True
    assert talk(holder, server, away_for=ALL[2]) == ALL[:3]
    assert holder.is_unsure
    assert talk(holder, server) == ALL
    assert not holder.is_unsure

    assert holder.holds.manifest.items == {("configuration", "passcode"): "v1"}
    holder.is_behind = True
    assert talk(holder, server) == ALL[:1]


def test_a_report_is_said_again_until_it_is_kept_and_then_comes_the_next() -> None:
    holder, server = Holder(), Server()
    holder.is_behind = True
    talk(holder, server, away_for="status")
    talk(holder, server, away_for="status", has_news=True)
    assert holder.is_unsure
    assert holder.holds.number == 0

    talk(holder, server, has_news=True)

    first, again, kept, following = server.reports
    assert first == again == kept
    numbers = [json.loads(each)["StatusItems"]["test"]["number"] for each in (kept, following)]
    assert numbers == [1, holder.holds.number] == [1, 2]
