"""What an OpenID provider says of itself (OpenID Connect Discovery 1.0), as far as we use it."""

import json
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

from epmm.wire.errors import WireError, edge

WELL_KNOWN: Final = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_auth_methods: tuple[str, ...] = ("client_secret_basic",)
    names_itself: bool = False  # in its callbacks (RFC 9207)

    @classmethod
    def parse(cls, raw: bytes, *, issuer: str) -> Self:
        """`issuer` is as the administrator wrote it, with or without the slash at its end."""
        source = load_object(raw)
        # 4.3: it must be the one that was asked for; anybody could otherwise speak for another
        named = _text(source, "issuer")
        if named.rstrip("/") != issuer.rstrip("/"):
            raise WireError("issuer: another than the one that was asked")
        methods = source.get("token_endpoint_auth_methods_supported")
        return cls(
            issuer=named,
            authorization_endpoint=_endpoint(source, "authorization_endpoint"),
            token_endpoint=_endpoint(source, "token_endpoint"),
            jwks_uri=_endpoint(source, "jwks_uri"),
            userinfo_endpoint=_endpoint(source, "userinfo_endpoint", required=False),
            end_session_endpoint=_endpoint(source, "end_session_endpoint", required=False),
            token_auth_methods=tuple(map(str, methods)) if isinstance(methods, list) else ("client_secret_basic",),
            names_itself=source.get("authorization_response_iss_parameter_supported") is True,
        )

    def auth_method(self, *, has_secret: bool) -> str:
        if not has_secret:
            return "none"
        knows_basic = "client_secret_basic" in self.token_auth_methods
        return "client_secret_basic" if knows_basic else "client_secret_post"


def load_object(raw: bytes) -> dict[str, Any]:
    with edge(WireError, "not JSON"):
        value = json.loads(raw)
    if not isinstance(value, dict):
        raise WireError("not a JSON object")
    return value


def _text(source: dict[str, Any], name: str) -> str:
    value = source.get(name)
    if not isinstance(value, str) or not value:
        raise WireError(f"{name}: expected a text")
    return value


def _endpoint(source: dict[str, Any], name: str, *, required: bool = True) -> str:
    if not required and not source.get(name):
        return ""
    value = _text(source, name)
    with edge(WireError, f"{name}: not an address"):
        parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or parts.fragment or not value.isprintable():
        raise WireError(f"{name}: expected an https address")
    return value
