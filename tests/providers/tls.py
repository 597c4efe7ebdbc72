"""A CA of the tests for those whom our server calls, and certificates under it."""

import ssl
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509

from tests import pki


@dataclass(frozen=True, slots=True)
class Authority:
    identity: pki.Identity

    def write(self, directory: Path) -> Path:
        path = directory / "ca.pem"
        path.write_bytes(self.identity.pem)
        return path


@cache
def authority() -> Authority:
    return Authority(pki.issue("Outbound CA of the tests", ca=True, key=pki.ec_key(number=70)))


def server_context(name: str, directory: Path) -> ssl.SSLContext:
    names = x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))])
    server = pki.issue(name, issuer=authority().identity, key=pki.ec_key(number=71), extensions=[(names, False)])
    path = directory / f"{name}.pem"
    path.write_bytes(server.key_pem + server.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
