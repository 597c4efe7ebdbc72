"""The line to `CheckInURL` and `ServerURL`: each request proves the device, and the person where there is one."""

import base64
import plistlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx2
from cryptography.hazmat.primitives.serialization import Encoding

from enrollment.simulator import cms
from enrollment.simulator.challenge import turned_away
from enrollment.simulator.identity import Identity
from enrollment.simulator.network import Network, follow
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

CHECK_IN = "application/x-apple-aspen-mdm-checkin"
COMMAND = "application/x-apple-aspen-mdm"
UNRECOGNIZED = "com.apple.unrecognized.device"


class Proof(StrEnum):
    """How the certificate of the identity reaches the server."""

    SIGNATURE = "Mdm-Signature"  # SignMessage of the profile
    TLS = "client certificate"  # offered in the handshake, for servers that ask
    RFC9440 = "Client-Cert"  # what a proxy in front of the server would write
    ESCAPED_PEM = "Client-Cert, escaped PEM"  # the same by nginx
    NONE = "nothing"


@dataclass(slots=True, kw_only=True)
class MdmLink:
    network: Network
    user_agent: str
    identity: Identity
    token: str | None
    proof: Proof
    form: cms.SignatureForm

    def put(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str,
        bearer: bool,
        headers: Mapping[str, str | None] | None = None,
    ) -> httpx2.Response:
        """One request; `headers` add, replace and, with None, leave out.  A bare 401 is never an answer."""
        fields: dict[str, str | None] = {"Content-Type": content_type, "User-Agent": self.user_agent}
        fields |= self._proof(body)
        if bearer and self.token:
            fields["Authorization"] = f"Bearer {self.token}"
        fields |= headers or {}
        client = self.network.presenting(self.identity)
        sent = {name: value for name, value in fields.items() if value is not None}
        response = follow(client, client.build_request("PUT", url, content=body, headers=sent))
        if response.status_code == HTTPStatus.UNAUTHORIZED and "WWW-Authenticate" not in response.headers:
            raise DeviceRefused("removes its enrollment profile", "an MDM request was answered with a bare 401")
        return response

    def _proof(self, body: bytes) -> dict[str, str | None]:
        match self.proof:
            case Proof.SIGNATURE:
                signature = cms.sign(body, self.identity, detached=True, form=self.form)
                return {"Mdm-Signature": base64.b64encode(signature).decode()}
            case Proof.RFC9440:
                return {"Client-Cert": f":{base64.b64encode(self.identity.der).decode()}:"}
            case Proof.ESCAPED_PEM:
                return {"Client-Cert": quote(self.identity.certificate.public_bytes(Encoding.PEM), safe="")}
            case _:
                return {}


def accepted(response: httpx2.Response, what: str) -> httpx2.Response:
    """200, or what the device does instead."""
    if response.status_code == HTTPStatus.OK:
        return response
    refusal = turned_away(response, f"keeps {what} and tries again")
    if response.status_code == HTTPStatus.UNAUTHORIZED:
        raise TurnedAway("asks the person to sign in again", refusal.reason, status=response.status_code)
    if refusal.code == UNRECOGNIZED:
        raise TurnedAway("removes its enrollment profile", refusal.reason, status=refusal.status, code=refusal.code)
    raise refusal


def without_content(response: httpx2.Response, what: str) -> None:
    if accepted(response, what).content:
        raise DeviceRefused("does not expect an answer", f"{what} was answered with content; 200 has zero bytes here")


def dictionary(body: bytes, what: str) -> dict[str, Any]:
    try:
        found = plistlib.loads(body, fmt=plistlib.FMT_XML)
    except Exception as error:  # plistlib lets nine types out
        raise DeviceRefused("cannot read the answer", f"{what}: not an XML property list") from error
    if not isinstance(found, dict):
        raise DeviceRefused("cannot read the answer", f"{what}: not a dictionary")
    return found
