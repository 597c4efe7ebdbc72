"""LemonLDAP::NG as Debian packages it: a provider that others wrote, as a process of its own on a high port.

It is reached at `https://localhost:PORT`, behind a few lines that end TLS with a certificate of the tests' own CA.
"""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests import pki
from tests.ports import free_port
from tests.providers.tls import authority, in_front_of, server_context
from tests.services import LEMONLDAP

CLIENT: Final = "epmm"
SECRET: Final = "a secret between the two of them"
PERSON: Final = "dwho"  # of its demonstration accounts, whose passwords are their names
GROUPS: Final = ("timelords", "users")
START_SECONDS: Final = 60
# It loads one even where none is asked for, and the packaged one wants libraries that draw.
NO_CAPTCHA: Final = """package Lemonldap::NG::Portal::Captcha::None;
use Mouse;
extends 'Lemonldap::NG::Common::Module';
sub init { 1 }
1;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lemonldap:
    issuer: str
    ca: Path

    @property
    def registration(self) -> dict[str, Any]:
        """What an administrator of ours enters."""
        return {
            "issuer": self.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET.encode(),
            "account_claim": "account",
        }


@contextmanager
def running(directory: Path, redirects: list[str], after_sign_out: list[str]) -> Iterator[Lemonldap]:
    inner, outer = free_port(), free_port()
    issuer = f"https://localhost:{outer}"
    _write(directory, issuer, redirects, after_sign_out)
    ca = authority().write(directory)
    environment = {
        **os.environ,
        "LLNG_DEFAULTCONFFILE": str(directory / "lemonldap-ng.ini"),
        "LLNG_DEFAULTLOGGER": "Lemonldap::NG::Common::Logger::Std",
    }
    command = [
        "plackup",
        "--no-default-middleware",
        "-E",
        "deployment",
        "-s",
        "Standalone",
        "-o",
        "127.0.0.1",
        "-I",
        "lib",
    ]
    with (
        (directory / "log").open("wb") as log,
        in_front_of(lambda: asyncio.open_connection("127.0.0.1", inner), outer, server_context("localhost", directory)),
    ):
        process = subprocess.Popen(
            [*command, "-p", str(inner), str(LEMONLDAP)], cwd=directory, env=environment, stdout=log, stderr=log
        )
        try:
            _wait(process, inner, directory / "log")
            yield Lemonldap(issuer=issuer, ca=ca)
        finally:
            process.kill()
            process.wait()


def _write(directory: Path, issuer: str, redirects: list[str], after_sign_out: list[str]) -> None:
    for name in ("conf", "cache", "sessions/lock", "psessions/lock"):
        (directory / name).mkdir(parents=True)
    (directory / "conf" / "lmConf-1.json").write_text(
        json.dumps(_settings(directory, issuer, redirects, after_sign_out))
    )
    module = directory / "lib/Lemonldap/NG/Portal/Captcha/None.pm"
    module.parent.mkdir(parents=True)
    module.write_text(NO_CAPTCHA)
    (directory / "lemonldap-ng.ini").write_text(
        f"""[all]
logLevel = warn
[configuration]
type = File
dirName = {directory}/conf
localStorage = Cache::FileCache
localStorageOptions = {{'namespace' => 'c', 'cache_root' => '{directory}/cache', 'cache_depth' => 1}}
[portal]
staticPrefix = /static
templateDir = /usr/share/lemonldap-ng/portal/templates
languages = en
"""
    )


def _settings(directory: Path, issuer: str, redirects: list[str], after_sign_out: list[str]) -> dict[str, Any]:
    key = pki.rsa_key(number=90)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {
        "cfgNum": 1,
        "cfgDate": "1700000000",
        "cfgVersion": "2.16.1",
        "portal": f"{issuer}/",
        "domain": "localhost",
        "cookieName": "lemonldap",
        "securedCookie": 1,
        "portalSkin": "bootstrap",
        "authentication": "Demo",
        "userDB": "Same",
        "portalDisplayRegister": 0,
        "portalDisplayResetPassword": 0,
        "captcha": "::Captcha::None",
        "passwordDB": "Null",
        "registerDB": "Null",
        "demoExportedVars": {name: name for name in ("uid", "cn", "mail")},
        "exportedVars": {},
        "macros": {"_whatToTrace": "$uid", "account": '"$uid\\@mdm.example.test"'},
        "whatToTrace": "_whatToTrace",
        "groups": {},
        "locationRules": {"localhost": {"default": "accept"}},
        "globalStorage": "Apache::Session::File",
        "globalStorageOptions": _storage(directory / "sessions"),
        "persistentStorage": "Apache::Session::File",
        "persistentStorageOptions": _storage(directory / "psessions"),
        "issuerDBOpenIDConnectActivation": 1,
        "oidcServiceAllowAuthorizationCodeFlow": 1,
        "oidcServicePrivateKeySig": private,
        "oidcServicePublicKeySig": public,
        "oidcServiceKeyIdSig": "k1",
        "oidcRPMetaDataOptions": {
            "epmm": {
                "oidcRPMetaDataOptionsClientID": CLIENT,
                "oidcRPMetaDataOptionsClientSecret": SECRET,
                "oidcRPMetaDataOptionsRedirectUris": " ".join(redirects),
                "oidcRPMetaDataOptionsPostLogoutRedirectUris": " ".join(after_sign_out),
                "oidcRPMetaDataOptionsBypassConsent": 1,
                "oidcRPMetaDataOptionsLogoutBypassConfirm": 1,
                "oidcRPMetaDataOptionsIDTokenSignAlg": "RS256",
                "oidcRPMetaDataOptionsRequirePKCE": 1,
                "oidcRPMetaDataOptionsUserIDAttr": "uid",
            }
        },
        "oidcRPMetaDataExportedVars": {
            "epmm": {
                "preferred_username": "uid",
                "name": "cn",
                "email": "mail",
                "groups": "groups;string;always",
                "account": "account",
            }
        },
        "oidcRPMetaDataOptionsExtraClaims": {"epmm": {"profile": "preferred_username name account groups"}},
        "oidcRPMetaDataScopeRules": {},
    }


def _storage(directory: Path) -> dict[str, str]:
    return {
        "Directory": str(directory),
        "LockDirectory": str(directory / "lock"),
        "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
    }


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError):
            create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"LemonLDAP::NG did not start:\n{log.read_text()}")
