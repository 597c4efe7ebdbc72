"""The ID token: who signed in, when, for whom, as the provider has signed it (OpenID Connect Core 1.0, 3.1.3.7)."""

from dataclasses import dataclass, field
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from epmm.wire.errors import WireError, edge
from users.protocol.provider import load_object

# Signatures that need the provider's private key.  `none` proves nothing, and with HS256 the client's secret, or for
# a careless library the provider's public key, would sign.
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
LEEWAY_SECONDS: Final = 120
LONGEST: Final = 65_536
LONGEST_SUBJECT: Final = 255  # 2: "MUST NOT exceed 255 ASCII characters"


class UnknownKey(WireError):
    """Signed with a key that is not among those known: perhaps a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    issuer: str
    client_id: str
    nonce: str = field(repr=False)
    access_token: str = field(repr=False)
    signed_in_after: int | None = None  # the person must have been asked since then


def keys_of(raw: bytes) -> KeySet:
    """Those that we can use; a provider may publish others."""
    found = load_object(raw).get("keys")
    usable: list[Any] = []
    for each in found if isinstance(found, list) else ():
        try:
            usable += KeySet.import_key_set({"keys": [each]}).keys
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    if not usable:
        raise WireError("no usable key")
    return KeySet(usable)


def read(token: str, keys: KeySet, expected: Expected, *, now: int) -> dict[str, Any]:
    """The claims.  Raises WireError for whatever is not to be believed."""
    if len(token) > LONGEST:
        raise WireError("ID token: too long")
    try:
        with edge(WireError, "ID token: cannot be read"):
            decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
    except WireError as error:
        if isinstance(error.__cause__, InvalidKeyIdError):
            raise UnknownKey("ID token: unknown key") from error
        raise WireError(f"ID token: {_kind(error.__cause__)}") from error
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={
            "iss": {"essential": True, "value": expected.issuer},
            "aud": {"essential": True, "value": expected.client_id},
        },
        params={
            "nonce": expected.nonce,
            "client_id": expected.client_id,
            "access_token": expected.access_token,
        },
    )
    try:
        with edge(WireError, "ID token: cannot be judged"):
            claims.validate(now=now, leeway=LEEWAY_SECONDS)
    except WireError as error:
        raise WireError(f"ID token: {_kind(error.__cause__)}") from error
    _check_subject(claims)
    if expected.signed_in_after is not None:
        _check_fresh(claims, expected.signed_in_after)
    return dict(claims)


def _kind(error: BaseException | None) -> str:
    """What is wrong, in the library's words for it; never what was sent."""
    claim = getattr(error, "claim", "")
    return f"{type(error).__name__} {claim}".strip()


def _check_subject(claims: dict[str, Any]) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise WireError("ID token: sub")


def _check_fresh(claims: dict[str, Any], since: int) -> None:
    """3.1.2.1: with `max_age`, `auth_time` is required.  A provider that passes over it has proved nothing."""
    signed_in_at = claims.get("auth_time")
    if not isinstance(signed_in_at, int | float) or signed_in_at < since - LEEWAY_SECONDS:
        raise WireError("ID token: auth_time")
