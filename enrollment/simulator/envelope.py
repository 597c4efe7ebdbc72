"""CMS EnvelopedData (RFC 5652 section 6): a message that only the holder of one RSA key can read."""

import secrets
from typing import Literal

from asn1crypto import cms, core
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from enrollment.simulator.cms import CmsError, is_named, issuer_and_serial, load_message
from enrollment.simulator.identity import Identity

CipherName = Literal["aes128_cbc", "aes256_cbc", "tripledes_3key", "des"]
_KEY_BYTES: dict[str, int] = {"aes128_cbc": 16, "aes192_cbc": 24, "aes256_cbc": 32, "tripledes_3key": 24, "des": 8}


def seal(content: bytes, recipient: x509.Certificate, *, cipher: CipherName = "aes256_cbc") -> bytes:
    key = secrets.token_bytes(_KEY_BYTES[cipher])
    algorithm = _algorithm(cipher, key)
    initial = secrets.token_bytes(algorithm.block_size // 8)
    pad = PKCS7(algorithm.block_size).padder()
    encryptor = Cipher(algorithm, modes.CBC(initial)).encryptor()
    sealed = encryptor.update(pad.update(content) + pad.finalize()) + encryptor.finalize()
    public = recipient.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise CmsError("the recipient has no RSA key")
    message = cms.EnvelopedData(
        {
            "version": "v0",
            "recipient_infos": [
                cms.RecipientInfo(
                    "ktri",
                    {
                        "version": "v0",
                        "rid": cms.RecipientIdentifier("issuer_and_serial_number", issuer_and_serial(recipient)),
                        "key_encryption_algorithm": {"algorithm": "rsaes_pkcs1v15"},
                        "encrypted_key": public.encrypt(key, padding.PKCS1v15()),
                    },
                )
            ],
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {"algorithm": cipher, "parameters": core.OctetString(initial)},
                "encrypted_content": sealed,
            },
        }
    )
    return bytes(cms.ContentInfo({"content_type": "enveloped_data", "content": message}).dump())


def unseal(raw: bytes, identity: Identity) -> tuple[bytes, str]:
    """The content and the name of the cipher; the envelope must be addressed to `identity` alone."""
    message = load_message(raw, "enveloped_data")
    try:
        return _unseal(message, identity)
    except CmsError:
        raise
    except Exception as error:  # asn1crypto reads late and lets many types out; from here on there is one
        raise CmsError("an envelope that cannot be opened") from error


def _unseal(message: cms.EnvelopedData, identity: Identity) -> tuple[bytes, str]:
    if len(message["recipient_infos"]) != 1:
        raise CmsError("not exactly one recipient")
    recipient = message["recipient_infos"][0].chosen
    if not is_named(recipient["rid"].chosen, identity.certificate):
        raise CmsError("addressed to another certificate")
    if not isinstance(identity.key, rsa.RSAPrivateKey):
        raise CmsError("only an RSA key opens an envelope")
    key = identity.key.decrypt(recipient["encrypted_key"].native, padding.PKCS1v15())
    encrypted = message["encrypted_content_info"]
    declared = encrypted["content_encryption_algorithm"]
    name = str(declared["algorithm"].native)
    if _KEY_BYTES.get(name) != len(key):
        raise CmsError(f"cipher {name} with a key of {len(key)} bytes")
    algorithm = _algorithm(name, key)
    decryptor = Cipher(algorithm, modes.CBC(declared["parameters"].native)).decryptor()
    unpad = PKCS7(algorithm.block_size).unpadder()
    clear = decryptor.update(encrypted["encrypted_content"].native) + decryptor.finalize()
    return unpad.update(clear) + unpad.finalize(), name


def _algorithm(name: str, key: bytes) -> algorithms.AES | TripleDES:
    if name.startswith("aes"):
        return algorithms.AES(key)
    # three equal keys make 3DES the single DES of the oldest clients
    return TripleDES(key * 3 if name == "des" else key)
