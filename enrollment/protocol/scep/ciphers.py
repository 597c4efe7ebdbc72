"""The content ciphers SCEP clients use, all in CBC mode with the padding of RFC 5652 section 6.3."""

from enum import StrEnum

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7


class ContentCipher(StrEnum):
    """The values are asn1crypto's names of the algorithms."""

    AES_128 = "aes128_cbc"
    AES_192 = "aes192_cbc"
    AES_256 = "aes256_cbc"
    TRIPLE_DES = "tripledes_3key"
    DES = "des"

    @property
    def key_bytes(self) -> int:
        return {"aes128_cbc": 16, "aes192_cbc": 24, "aes256_cbc": 32, "tripledes_3key": 24, "des": 8}[self]

    @property
    def block_bytes(self) -> int:
        return 8 if self in {ContentCipher.TRIPLE_DES, ContentCipher.DES} else 16


def encrypt(cipher: ContentCipher, key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    padder = PKCS7(cipher.block_bytes * 8).padder()
    encryptor = _cbc(cipher, key, iv).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def decrypt(cipher: ContentCipher, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    """ValueError for a length or a padding that cannot be."""
    decryptor = _cbc(cipher, key, iv).decryptor()
    unpadder = PKCS7(cipher.block_bytes * 8).unpadder()
    return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()


def _cbc(cipher: ContentCipher, key: bytes, iv: bytes) -> Cipher[CBC]:
    match cipher:
        case ContentCipher.DES:
            return Cipher(TripleDES(key * 3), CBC(iv))  # encrypt, decrypt, encrypt with one key is single DES
        case ContentCipher.TRIPLE_DES:
            return Cipher(TripleDES(key), CBC(iv))
        case _:
            return Cipher(AES(key), CBC(iv))
