"""What providers say of themselves and the keys they sign with, remembered for a while in this process."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from joserfc.jwk import KeySet

from epmm import outbound
from epmm.wire.errors import WireError
from users.errors import ProviderDoubted, ProviderDown
from users.protocol import id_token
from users.protocol.provider import WELL_KNOWN, Metadata

FRESH_SECONDS: Final = 3600
STALE_SECONDS: Final = 86_400  # while the provider does not answer
SEEN_SECONDS: Final = 10  # after which nobody is sent there without a look
AGAIN_SECONDS: Final = 60  # after which a key that is not known is worth another look
REMEMBERED: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    metadata: Metadata
    keys: KeySet
    at: float
    keys_at: float
    seen: float  # when it last answered


_known: OrderedDict[str, Known] = OrderedDict()
_lock = threading.Lock()


def of(issuer: str) -> Known:
    """Raises ProviderDown, ProviderDoubted."""
    now = time.monotonic()
    with _lock:
        found = _known.get(issuer)
    if found is not None and now - found.at < FRESH_SECONDS:
        return found
    try:
        return _keep(issuer, fetch(issuer))
    except ProviderDown:
        if found is not None and now - found.at < STALE_SECONDS:
            return found
        raise


def answering(issuer: str) -> Known:
    """Of one that is there just now: nobody is to be led to a page that does not come.

    Raises ProviderDown, ProviderDoubted.
    """
    found, now = of(issuer), time.monotonic()
    if now - found.seen < SEEN_SECONDS:
        return found
    return _keep(issuer, replace(found, metadata=_metadata(issuer), seen=now))


def with_new_keys(issuer: str) -> Known:
    """Providers change their keys at any time; anybody can send a token that names one which does not exist."""
    found = of(issuer)
    now = time.monotonic()
    if now - found.keys_at < AGAIN_SECONDS:
        return found
    return _keep(issuer, replace(found, keys=_keys(found.metadata), keys_at=now))


def fetch(issuer: str) -> Known:
    """Anew."""
    metadata, now = _metadata(issuer), time.monotonic()
    return Known(metadata=metadata, keys=_keys(metadata), at=now, keys_at=now, seen=now)


def _metadata(issuer: str) -> Metadata:
    try:
        return Metadata.parse(get(issuer.rstrip("/") + WELL_KNOWN), issuer=issuer)
    except WireError as error:
        raise ProviderDoubted(f"metadata: {error}") from error


def _keys(metadata: Metadata) -> KeySet:
    try:
        return id_token.keys_of(get(metadata.jwks_uri))
    except WireError as error:
        raise ProviderDoubted(f"keys: {error}") from error


def get(address: str, *, bearer: str = "") -> bytes:
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
    try:
        reply = outbound.send("GET", address, headers=headers)
    except outbound.Unreachable as error:
        raise ProviderDown(str(error)) from error
    if reply.status != HTTPStatus.OK:
        raise ProviderDown(f"answered {reply.status}")
    return reply.body


def _keep(issuer: str, known: Known) -> Known:
    with _lock:
        _known[issuer] = known
        _known.move_to_end(issuer)
        if len(_known) > REMEMBERED:
            _known.popitem(last=False)
    return known


def forget() -> None:
    """Begin anew, as a fresh process does."""
    with _lock:
        _known.clear()
