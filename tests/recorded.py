"""Bytes that real devices sent (see vectors/README.md), and what the `openssl` program makes of ours."""

import base64
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.pki import Identity

VECTORS = Path(__file__).parent / "vectors"


def _decoded(name: str) -> bytes:
    return base64.b64decode((VECTORS / name).read_bytes())


ENROLLMENT_REQUEST = _decoded("account-driven/enroll_body.b64")
MDM_SIGNATURE_1 = _decoded("nanomdm/mdmSignatureHeader1.b64")
MDM_SIGNATURE_2 = _decoded("nanomdm/mdmSignatureHeader2.b64")
MDM_BODY_2 = _decoded("nanomdm/mdmSignatureBody2.b64")


def openssl_sign(content: bytes, signer: Identity, options: Sequence[str], directory: Path) -> bytes:
    (directory / "signer.pem").write_bytes(signer.pem + signer.key_pem)
    command = [
        "openssl",
        "cms",
        "-sign",
        "-binary",
        "-outform",
        "DER",
        "-signer",
        str(directory / "signer.pem"),
        *options,
    ]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout


def openssl_verify(message: bytes, anchor: Identity, directory: Path) -> bytes:
    """The content, when OpenSSL finds the signature good and its certificate issued by `anchor`."""
    (directory / "anchor.pem").write_bytes(anchor.pem)
    command = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-purpose", "any"]
    command += ["-CAfile", str(directory / "anchor.pem")]
    return subprocess.run(command, input=message, capture_output=True, check=True).stdout
