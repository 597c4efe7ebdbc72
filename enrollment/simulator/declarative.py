"""Declarative management as the device drives it: tokens, manifest, declarations, report."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn

import httpx2

from enrollment.simulator.hardware import Hardware
from enrollment.simulator.mdm_link import accepted, without_content
from enrollment.simulator.network import media_type
from enrollment.simulator.refusal import DeviceRefused

Ask = Callable[[str, bytes | None], httpx2.Response]  # endpoint and data of one DeclarativeManagement message

_KINDS = {
    "Activations": "activation",
    "Assets": "asset",
    "Configurations": "configuration",
    "Management": "management",
}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TOKEN_OCTETS, _NAME_OCTETS = 256, 64


@dataclass(slots=True)
class Declarations:
    """What one channel holds; once switched on it stays on."""

    token: str = ""
    held: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def synchronize(self, ask: Ask, hardware: Hardware, announced: bytes | None) -> int:
        """Fetch what is new, drop what is gone, report; the number of declarations held."""
        body = announced if announced is not None else _json_of(accepted(ask("tokens", None), "its sync request"))
        token = read_tokens(body)
        manifest = read_manifest(_json_of(accepted(ask("declaration-items", None), "its sync request")))
        if announced is None and manifest.token != token:
            _refuse("DeclarationsToken of the manifest is not the one of tokens")
        self._apply(ask, manifest)
        self.token = manifest.token
        without_content(ask("status", json.dumps(self.report(hardware)).encode()), "its status report")
        return len(self.held)

    def _apply(self, ask: Ask, manifest: "Manifest") -> None:
        for name in self.held.keys() - manifest.items.keys():
            del self.held[name]
        for name, server_token in manifest.items.items():
            if self.held.get(name, {}).get("ServerToken") == server_token:
                continue
            response = ask(f"declaration/{name[0]}/{name[1]}", None)
            if response.status_code == HTTPStatus.NOT_FOUND:
                self.held.pop(name, None)
                continue
            self.held[name] = _read_declaration(_json_of(accepted(response, "its request")), name[1], server_token)

    def report(self, hardware: Hardware) -> dict[str, Any]:
        states: dict[str, list[dict[str, Any]]] = {f"{kind}s": [] for kind in ("activation", "asset", "configuration")}
        states["management"] = []
        for (kind, identifier), declaration in self.held.items():
            states[kind if kind == "management" else f"{kind}s"].append(
                {
                    "identifier": identifier,
                    "server-token": declaration["ServerToken"],
                    "active": kind != "management",
                    "valid": "valid",
                }
            )
        device = {"operating-system": {"version": hardware.model.os_version}}
        return {
            "StatusItems": {"management": {"declarations": states}, "device": device},
            "Errors": [],
            "FullReport": True,
        }


@dataclass(frozen=True, slots=True)
class Manifest:
    token: str
    items: Mapping[tuple[str, str], str]


def read_tokens(body: bytes) -> str:
    tokens = _object(body).get("SyncTokens")
    if not isinstance(tokens, dict):
        _refuse("tokens without SyncTokens")
    stamp = tokens.get("Timestamp")
    if not isinstance(stamp, str) or not _TIMESTAMP.fullmatch(stamp):
        _refuse("Timestamp is not YYYY-mm-ddTHH:MM:SSZ")
    return _octets(tokens, "DeclarationsToken", _TOKEN_OCTETS)


def read_manifest(body: bytes) -> Manifest:
    document = _object(body)
    declarations = document.get("Declarations")
    if not isinstance(declarations, dict):
        _refuse("the manifest has no Declarations")
    items: dict[tuple[str, str], str] = {}
    for key, kind in _KINDS.items():
        entries = declarations.get(key)
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            _refuse(f"{key} of the manifest is not a list of dictionaries")
        for entry in entries:
            name = (kind, _octets(entry, "Identifier", _NAME_OCTETS))
            if name in items:
                _refuse(f"the manifest names {name[1]} twice")
            items[name] = _octets(entry, "ServerToken", _NAME_OCTETS)
    return Manifest(_octets(document, "DeclarationsToken", _TOKEN_OCTETS), items)


def _read_declaration(body: bytes, identifier: str, server_token: str) -> dict[str, Any]:
    document = _object(body)
    if document.get("Identifier") != identifier or document.get("ServerToken") != server_token:
        _refuse("a declaration that is not the one of the manifest")
    if not isinstance(document.get("Type"), str) or not isinstance(document.get("Payload"), dict):
        _refuse("a declaration without Type or Payload")
    return document


def _json_of(response: httpx2.Response) -> bytes:
    if media_type(response) != "application/json":
        _refuse(f"the answer came as {media_type(response) or 'no type'}, not application/json")
    return response.content


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        _refuse("not JSON")
    return found if isinstance(found, dict) else _refuse("not an object")


def _octets(source: Mapping[str, Any], key: str, limit: int) -> str:
    value = source.get(key)
    if not isinstance(value, str) or not 0 < len(value.encode()) <= limit:
        _refuse(f"{key} is not a string of 1 to {limit} octets")
    return value


def _refuse(reason: str) -> NoReturn:
    raise DeviceRefused("keeps the declarations it has", reason)
