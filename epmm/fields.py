"""Columns encrypted at rest (unlock tokens, bootstrap tokens, private keys), and compressed ones.

AES-256-GCM; each value names the key it was made with, so keys can be added in front and retired later:
`EPMM_FIELD_KEYS=k2:<base64>,k1:<base64>` encrypts with k2 and still reads k1.
"""

import os
import zlib
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

NONCE_BYTES = 12
KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class FieldKeys:
    """The keys in order; the first one encrypts."""

    by_id: dict[bytes, AESGCM]

    @classmethod
    def parse(cls, text: str) -> Self:
        keys: dict[bytes, AESGCM] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            key_id, _, encoded = item.partition(":")
            try:
                keys[key_id.encode("ascii")] = _aes(b64decode(encoded, altchars=b"-_", validate=True))
            except ValueError as error:  # also binascii.Error and UnicodeError
                raise ImproperlyConfigured(
                    "EPMM_FIELD_KEYS must be a list like k1:<32 bytes in base64>, the newest first"
                ) from error
        if not keys or b"" in keys:
            raise ImproperlyConfigured("EPMM_FIELD_KEYS names no key")
        return cls(keys)

    def seal(self, plain: bytes, *, context: bytes) -> bytes:
        key_id, key = next(iter(self.by_id.items()))
        nonce = os.urandom(NONCE_BYTES)
        return key_id + b":" + nonce + key.encrypt(nonce, plain, context)

    def open(self, sealed: bytes, *, context: bytes) -> bytes:
        key_id, _, rest = sealed.partition(b":")
        if key_id not in self.by_id:
            raise ImproperlyConfigured("EPMM_FIELD_KEYS lacks the key that a stored secret was made with")
        try:
            return self.by_id[key_id].decrypt(rest[:NONCE_BYTES], rest[NONCE_BYTES:], context)
        except InvalidTag as error:
            raise ImproperlyConfigured("EPMM_FIELD_KEYS does not open a stored secret") from error


def _aes(key: bytes) -> AESGCM:
    if len(key) != KEY_BYTES:
        raise ValueError("not an AES-256 key")
    return AESGCM(key)


@cache
def field_keys(text: str) -> FieldKeys:
    return FieldKeys.parse(text)


class EncryptedField(models.BinaryField):  # type: ignore[type-arg] # not generic when it runs
    """Bytes on the Python side, sealed in the database and bound to their column."""

    def _context(self) -> bytes:
        return f"{self.model._meta.db_table}.{self.column}".encode()

    def get_prep_value(self, value: Any) -> Any:
        plain = super().get_prep_value(value)
        if plain is None:
            return None
        return field_keys(settings.FIELD_KEYS).seal(bytes(plain), context=self._context())

    def from_db_value(self, value: Any, *_: object) -> bytes | None:
        return None if value is None else self.open(bytes(value))

    def open(self, sealed: bytes) -> bytes:
        """For what was read past the ORM."""
        return field_keys(settings.FIELD_KEYS).open(sealed, context=self._context())

    def get_lookup(self, lookup_name: str) -> Any:
        if lookup_name != "isnull":
            raise TypeError("a sealed value differs each time: it cannot be searched")
        return super().get_lookup(lookup_name)


class CompressedField(models.BinaryField):  # type: ignore[type-arg] # as above
    """Bytes on the Python side, a fraction of them in the database: property lists shrink to a sixth."""

    def get_prep_value(self, value: Any) -> Any:
        plain = super().get_prep_value(value)
        return None if plain is None else zlib.compress(bytes(plain), level=1)

    def from_db_value(self, value: Any, *_: object) -> bytes | None:
        return None if value is None else zlib.decompress(bytes(value))
