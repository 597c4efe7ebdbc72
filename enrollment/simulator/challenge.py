"""The first request of an enrollment: a signed description of the device, answered by a 401 on purpose."""

import plistlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import httpx2

from enrollment.simulator.discovery import USER_AGENT, is_https
from enrollment.simulator.errors import coded_error
from enrollment.simulator.hardware import Hardware
from enrollment.simulator.network import send
from enrollment.simulator.page import CALLBACK_SCHEME
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

_REACTION = "cancels the enrollment"
_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_PARAMETER = re.compile(rf"({_NAME})[ \t]*=[ \t]*({_NAME}|{_QUOTED})")
_SCHEME = re.compile(rf"({_NAME})(?: +|$)")
_COMMA = re.compile(r"[ \t]*,[ \t,]*")  # empty elements of a list are no mistake (section 5.6.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    scheme: str
    parameters: Mapping[str, str]


def machine_info(hardware: Hardware, mode: str, **changes: Any) -> bytes:
    """The property list; a user enrollment keeps the device's names to itself.  None leaves a key out."""
    model = hardware.model
    keys: dict[str, Any] = {
        "LANGUAGE": hardware.language,
        "PRODUCT": model.product,
        "VERSION": model.build,
        "OS_VERSION": model.os_version,
        "SOFTWARE_UPDATE_DEVICE_ID": model.product,
        "MDM_CAN_REQUEST_SOFTWARE_UPDATE": False,
    }
    if mode == "ADDE":
        keys |= {"UDID": hardware.udid, "SERIAL": hardware.serial, "IMEI": hardware.imei}
    keys |= changes
    return plistlib.dumps({key: value for key, value in keys.items() if value is not None})


def post(client: httpx2.Client, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    """The enrollment request, the same before and after the sign-in but for the bearer."""
    fixed = {"Content-Type": "application/pkcs7-signature", "User-Agent": USER_AGENT}
    return send(client, client.build_request("POST", url, content=body, headers={**fixed, **(headers or {})}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How the person is to sign in; all but `address` belong to `apple-oauth2`."""

    method: str
    address: str = field(repr=False)
    token_url: str = ""
    redirect_url: str = ""
    client_id: str = ""
    scope: str = ""

    @property
    def is_oauth(self) -> bool:
        return self.method == "apple-oauth2"


def read(response: httpx2.Response) -> Asked:
    """Where the 401 sends the person."""
    if response.status_code != HTTPStatus.UNAUTHORIZED:
        raise turned_away(response, _REACTION)
    fields = response.headers.get_list("WWW-Authenticate")
    bearers = [item for item in parse(", ".join(fields)) if item.scheme.lower() == "bearer"]
    if len(bearers) != 1:
        raise _refused("the 401 carries not exactly one Bearer challenge")
    given = bearers[0].parameters
    match given.get("method"):
        case "apple-as-web":
            asked = Asked(method="apple-as-web", address=given.get("url", ""))
        case "apple-oauth2":
            asked = _oauth(given)
        case method:
            raise _refused(f"authentication method {method!r} is not apple-as-web or apple-oauth2")
    if not is_https(asked.address):
        raise _refused("the sign-in url is not an absolute https address")
    return asked


def _oauth(given: Mapping[str, str]) -> Asked:
    """Each parameter is required (Apple: "Implementing the OAuth 2 authentication account-driven enrollment flow")."""
    names = ("authorization-url", "token-url", "redirect-url", "client-id", "scope")
    if missing := [name for name in names if not given.get(name)]:
        raise _refused(f"the challenge lacks {missing[0]}")
    if not is_https(given["token-url"]):
        raise _refused("the token-url is not an absolute https address")
    scheme, _, path = given["redirect-url"].partition(":")
    if scheme != CALLBACK_SCHEME or not path.strip("/"):
        raise _refused("the redirect-url has not the scheme of the callback, or no path")
    return Asked(
        method="apple-oauth2",
        address=given["authorization-url"],
        token_url=given["token-url"],
        redirect_url=given["redirect-url"],
        client_id=given["client-id"],
        scope=given["scope"],
    )


def turned_away(response: httpx2.Response, reaction: str) -> TurnedAway:
    error = coded_error(response)
    shown = f": {error.message!r}" if error.message else ""
    reason = f"the server answered {response.status_code} {error.code}{shown}".rstrip()
    return TurnedAway(reaction, reason, status=response.status_code, code=error.code, sentence=error.message)


def parse(field: str) -> list[Challenge]:
    """`WWW-Authenticate` by the grammar of RFC 9110 section 11: parameters are separated by commas."""
    found: list[Challenge] = []
    position = 0
    while position < len(field):
        scheme = _SCHEME.match(field, position)
        if scheme is None:
            raise _refused("WWW-Authenticate does not follow RFC 9110: no scheme where one must stand")
        position, parameters = _parameters(field, scheme.end())
        found.append(Challenge(scheme=scheme[1], parameters=parameters))
    return found


def _parameters(field: str, position: int) -> tuple[int, dict[str, str]]:
    """The parameters from `position` on, and the place where the next challenge begins."""
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(field, position):
        name = match[1].lower()
        if name in parameters:
            raise _refused(f"WWW-Authenticate repeats the parameter {name}")
        parameters[name] = _unquoted(match[2])
        position = match.end()
        comma = _COMMA.match(field, position)
        if comma is None and position < len(field):
            raise _refused("WWW-Authenticate does not follow RFC 9110: commas separate parameters")
        position = comma.end() if comma else position
    return position, parameters


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def _refused(reason: str) -> DeviceRefused:
    return DeviceRefused(_REACTION, reason)
