"""Declarative management as the device drives it: tokens, manifest, declarations, report."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NoReturn

import httpx2

from enrollment.simulator.mdm_link import accepted, without_content
from enrollment.simulator.messages import Channel
from enrollment.simulator.network import media_type
from enrollment.simulator.refusal import DeviceRefused

Ask = Callable[[str, bytes | None], httpx2.Response]  # endpoint and data of one DeclarativeManagement message
Fetch = Callable[[str], httpx2.Response]
Name = tuple[str, str]  # kind and identifier

_KINDS = {
    "Activations": "activation",
    "Assets": "asset",
    "Configurations": "configuration",
    "Management": "management",
}
_LEGACY = "com.apple.configuration.legacy"
_SUBSCRIPTIONS = "com.apple.configuration.management.status-subscriptions"
_PROFILE = "application/x-apple-aspen-config"
# What our devices support: enough for each kind and for each way to be applied.
_TYPES = frozenset(
    {
        "com.apple.activation.simple",
        "com.apple.asset.data",
        "com.apple.asset.useridentity",
        "com.apple.configuration.account.mail",
        "com.apple.configuration.legacy",
        "com.apple.configuration.management.status-subscriptions",
        "com.apple.configuration.passcode.settings",
        "com.apple.configuration.softwareupdate.enforcement.specific",
        "com.apple.configuration.softwareupdate.settings",
        "com.apple.management.organization-info",
        "com.apple.management.properties",
        "com.apple.management.server-capabilities",
    }
)
_STATUS_ITEMS = frozenset(
    {
        "device.identifier.serial-number",
        "device.identifier.udid",
        "device.model.family",
        "device.model.identifier",
        "device.model.marketing-name",
        "device.model.number",
        "device.operating-system.build-version",
        "device.operating-system.family",
        "device.operating-system.version",
        "diskmanagement.filevault.enabled",
        "mdm.app",
        "passcode.is-compliant",
        "passcode.is-present",
        "softwareupdate.install-state",
        "softwareupdate.pending-version",
    }
)
# As much of Apple's predicates as our stories need.
_PREDICATE = re.compile(r"\(?@status\((?P<item>[a-z.-]+)\) == '(?P<value>[^']*)'\)?")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_TOKEN_OCTETS, _NAME_OCTETS = 256, 64


@dataclass(slots=True)
class Declarations:
    """What one channel holds; once switched on it stays on."""

    channel: Channel
    token: str = ""
    held: dict[Name, dict[str, Any]] = field(default_factory=dict)
    supported: set[str] = field(default_factory=lambda: set(_TYPES))
    changed: dict[str, Any] = field(default_factory=dict)  # status items that differ from the device's own
    profiles: dict[str, bytes] = field(default_factory=dict)  # by configuration
    _broken: dict[Name, dict[str, str]] = field(default_factory=dict)
    _told: dict[str, Any] | None = None  # what the last report left the server with; None: nothing yet
    _manifests: dict[str, Mapping[Name, str]] = field(default_factory=dict)
    _contents: dict[tuple[Name, str], dict[str, Any]] = field(default_factory=dict)

    def synchronize(self, ask: Ask, fetch: Fetch, announced: bytes | None, state: Mapping[str, Any]) -> int:
        """Fetch what is new, drop what is gone, report; the number of declarations held."""
        body = announced if announced is not None else _json_of(accepted(ask("tokens", None), "its sync request"))
        token = read_tokens(body)
        if token == self.token:
            return len(self.held)
        manifest = read_manifest(_json_of(accepted(ask("declaration-items", None), "its sync request")))
        if announced is None and manifest.token != token:
            _refuse("DeclarationsToken of the manifest is not the one of tokens")
        if self._manifests.setdefault(manifest.token, manifest.items) != manifest.items:
            _refuse("one DeclarationsToken for two sets")
        self._apply(ask, manifest)
        self._install(fetch)
        self.token = manifest.token
        self.report(ask, state)
        return len(self.held)

    def report(self, ask: Ask, state: Mapping[str, Any], *, full: bool = False) -> None:
        """The first report says all; the others say what has changed since."""
        now = self._items({**state, **self.changed})
        whole = full or self._told is None
        told = now if whole else _difference(self._told or {}, now)
        errors = [
            {"StatusItem": name, "Reasons": [{"Code": "Error.UnsupportedStatusItem"}]}
            for name in sorted(self._subscribed() - {*state, *self.changed})
        ]
        report = {"StatusItems": _nested(told), "Errors": errors, "FullReport": whole}
        without_content(ask("status", json.dumps(report).encode()), "its status report")
        self._told = now

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
            found = read_declaration(_json_of(accepted(response, "its request")), name, server_token)
            if self._contents.setdefault((name, server_token), found) != found:
                _refuse("one ServerToken for two contents")
            if self._told is not None and found["Type"] not in self.supported:
                _refuse(f"{found['Type']}, which this device has said it does not support")
            self.held[name] = found

    def _install(self, fetch: Fetch) -> None:
        """Download what active configurations refer to."""
        self._broken = {}
        wanted = {name: held for name, held in self.held.items() if held["Type"] == _LEGACY and self._is_active(name)}
        self.profiles = {name[1]: self.profiles[name[1]] for name in wanted if name[1] in self.profiles}
        for name, held in wanted.items():
            response = fetch(held["Payload"]["ProfileURL"])
            if response.status_code == HTTPStatus.OK and media_type(response) == _PROFILE:
                self.profiles[name[1]] = response.content
            else:
                self._broken[name] = {"code": "Error.ConfigurationCannotBeApplied", "description": "no profile"}

    def _is_active(self, name: Name) -> bool:
        if name[0] == "activation":
            return self._problem(name) is None
        return any(
            name[1] in held["Payload"].get("StandardConfigurations", []) and self._is_active(each)
            for each, held in self.held.items()
            if each[0] == "activation"
        )

    def _problem(self, name: Name) -> dict[str, str] | None:
        held = self.held[name]
        if held["Type"] not in self.supported:
            return {"code": "Error.ConfigurationNotSupported", "description": "not supported"}
        predicate = held["Payload"].get("Predicate") if name[0] == "activation" else None
        if predicate is None:
            return self._broken.get(name)
        found = _PREDICATE.fullmatch(predicate)
        if found is None:
            return {"code": "Error.UnableToParsePredicate", "description": "the predicate cannot be read"}
        true = (self._told or self.changed).get(found["item"]) == found["value"]
        return None if true else {"code": "Error.PredicateFailed", "description": "the predicate is false"}

    def _subscribed(self) -> set[str]:
        return {
            item["Name"]
            for name, held in self.held.items()
            if held["Type"] == _SUBSCRIPTIONS and self._is_active(name)
            for item in held["Payload"]["StatusItems"]
        }

    def _items(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """All that the server should know, by dotted name; `management` without a subscription."""
        told = {name: state[name] for name in self._subscribed() & state.keys()}
        return {**told, "management.declarations": self._states(), "management.client-capabilities": self._abilities()}

    def _states(self) -> dict[str, list[dict[str, Any]]]:
        states: dict[str, list[dict[str, Any]]] = {f"{kind}s": [] for kind in ("activation", "asset", "configuration")}
        states["management"] = []
        for name, declaration in self.held.items():
            problem = self._problem(name)
            is_false = problem is not None and problem["code"] == "Error.PredicateFailed"
            state: dict[str, Any] = {
                "identifier": name[1],
                "server-token": declaration["ServerToken"],
                "active": name[0] != "management" and problem is None and self._is_active(name),
                "valid": "valid" if problem is None or is_false else "invalid",
            }
            states[name[0] if name[0] == "management" else f"{name[0]}s"].append(
                state | ({"reasons": [problem]} if problem else {})
            )
        return states

    def _abilities(self) -> dict[str, Any]:
        kinds = {"activations": "activation", "assets": "asset", "configurations": "configuration"}
        kinds["management"] = "management"
        return {
            "supported-versions": ["1.0.0"],
            "supported-features": {},
            "supported-payloads": {
                "declarations": {
                    listed: sorted(name for name in self.supported if name.startswith(f"com.apple.{kind}."))
                    for listed, kind in kinds.items()
                },
                "status-items": sorted(_STATUS_ITEMS),
            },
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


def read_declaration(body: bytes, name: Name, server_token: str) -> dict[str, Any]:
    document = _object(body)
    if document.get("Identifier") != name[1] or document.get("ServerToken") != server_token:
        _refuse("a declaration that is not the one of the manifest")
    if not isinstance(document.get("Type"), str) or not isinstance(document.get("Payload"), dict):
        _refuse("a declaration without Type or Payload")
    if not document["Type"].startswith(f"com.apple.{name[0]}."):
        _refuse(f"{document['Type']} is no {name[0]}")
    return document


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Lists whose entries have an identifier are told in part; of an entry that is gone nothing but that."""
    found: dict[str, Any] = {}
    for name in now:
        old = before.get(name)
        if now[name] == old:
            continue
        found[name] = _entries(old, now[name]) if isinstance(old, list) and isinstance(now[name], list) else now[name]
    return found


def _entries(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept = {entry["identifier"] for entry in now}
    gone = [
        {"identifier": entry["identifier"], "_removed": True} for entry in before if entry["identifier"] not in kept
    ]
    return gone + [entry for entry in now if entry not in before]


def _nested(items: Mapping[str, Any]) -> dict[str, Any]:
    """`a.b` becomes an object in an object."""
    found: dict[str, Any] = {}
    for name, value in items.items():
        *path, last = name.split(".")
        inner = found
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return found


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
