"""Devices that hold declarations: what such a command starts, as strictly as the simulator reads it.

Alike in all but their number.  What a device holds is a token; what that stands for is remembered once for all of them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from bench.line import Line
from bench.players import ACKNOWLEDGED, CHECKED_IN, LightDevice, connect, put
from enrollment.simulator.declarative import Manifest, read_declaration, read_manifest, read_tokens
from enrollment.simulator.refusal import DeviceRefused
from epmm.wire.plist import dump

CHECK_IN: Final = "/mdm/checkin"
COMMAND: Final = b"<string>DeclarativeManagement</string>"
_UDID, _ENDPOINT, _DATA = "@UDID@", "@ENDPOINT@", b"@DATA@"
_KINDS: Final = ("activation", "asset", "configuration", "management")

manifest_of = lru_cache(read_manifest)
token_of = lru_cache(read_tokens)
declaration_of = lru_cache(read_declaration)


class Holders:
    def __init__(self, manifest: bytes) -> None:
        """All hold what this one lists, to begin with."""
        first = manifest_of(manifest)
        self._sets: dict[str, Manifest] = {first.token: first}
        self._first = first.token
        self._token: dict[int, str] = {}  # of those that hold another set by now
        # Of those that took the command: what they were answered since, so that they go on where they were turned away.
        self._answers: dict[int, dict[str, bytes]] = {}
        self._same: dict[bytes, bytes] = {}  # each answer once in memory

    async def session(self, line: Line, device: LightDevice, counters: Any) -> None:
        if device.number not in self._answers:
            async for command in connect(line, device, counters, ACKNOWLEDGED):
                if COMMAND in command:
                    self._answers[device.number] = {}
        if device.number in self._answers:
            await self._synchronize(replace(line, url=line.url._replace(path=CHECK_IN)), device, counters)
            self._answers.pop(device.number, None)

    async def _synchronize(self, line: Line, device: LightDevice, counters: Any) -> None:
        answers = self._answers[device.number]

        async def ask(endpoint: str, data: bytes = b"") -> bytes:
            if endpoint not in answers:
                body = await put(line, message(device.udid, endpoint, data), device)
                counters[CHECKED_IN] += 1
                answers[endpoint] = self._same.setdefault(body, body)
            return answers[endpoint]

        held = self._sets[self._token.get(device.number, self._first)]
        if token_of(await ask("tokens")) == held.token:
            return
        new = manifest_of(await ask("declaration-items"))
        for name, server_token in new.items.items() - held.items.items():
            declaration_of(await ask("/".join(("declaration", *name))), name, server_token)
        if await ask("status", report_of(new.token, frozenset(new.items.items()))):
            raise DeviceRefused("keeps the declarations it has", "its report was answered with something")
        self._token[device.number] = self._sets.setdefault(new.token, new).token


def message(udid: str, endpoint: str, data: bytes = b"") -> bytes:
    return _message(endpoint, data).replace(_UDID.encode(), udid.encode())


@lru_cache
def _message(endpoint: str, data: bytes) -> bytes:
    content = {"MessageType": "DeclarativeManagement", "UDID": _UDID, "Endpoint": endpoint}
    return dump(content | ({"Data": data} if data else {}))


@lru_cache
def report_of(_token: str, items: frozenset[tuple[tuple[str, str], str]]) -> bytes:
    """What has changed: how it goes with everything that it holds."""
    return report({"management": {"declarations": states(dict(items))}})


def states(items: Mapping[tuple[str, str], str]) -> dict[str, list[dict[str, Any]]]:
    told: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
    for (kind, identifier), server_token in sorted(items.items()):
        active = kind != "management"
        state = {"identifier": identifier, "server-token": server_token, "active": active, "valid": "valid"}
        told[kind].append(state)
    return {kind if kind == "management" else f"{kind}s": each for kind, each in told.items()}


def report(items: Mapping[str, Any], *, full: bool = False) -> bytes:
    return json.dumps({"StatusItems": items, "Errors": [], "FullReport": full}).encode()
