"""A domain controller of Active Directory for tests: Samba's, in a folder of its own, as whoever runs the tests.

Its ports are root's, so `socket_wrapper` makes files of them.  It is reached by its socket for processes of the same
machine; in front of that TLS ends on a high port, as at any controller.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.ports import free_port
from tests.providers.tls import authority, in_front_of, server_context
from tests.services import MEMORY, PROGRAMS, SOCKET_WRAPPER
from users.models import Directory

DOMAIN: Final = "example.test"
BASE: Final = "DC=example,DC=test"
USERS: Final = f"CN=Users,{BASE}"
READER: Final = f"Administrator@{DOMAIN}"
SECRET: Final = "The reader's 0wn"
PASSWORD: Final = "Correct horse 1 battery"
ENABLED: Final = "512"  # userAccountControl: NORMAL_ACCOUNT
DISABLED: Final = "514"  # ACCOUNTDISABLE, too
START_SECONDS: Final = 60
# With the Python of the system, whose library it is; without what would need root: the access lists of shared files.
PROVISION: Final = """
import logging, sys
from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm
from samba.provision import provision

folder, realm, secret = sys.argv[1:]
settings = LoadParm()
settings.set("ldb:nosync", "true")
provision(
    logging.getLogger(), system_session(), targetdir=folder, realm=realm, domain="EXAMPLE", hostname="dc1",
    hostip="127.0.0.1", hostip6=None, adminpass=secret, machinepass=secret, krbtgtpass=secret, lp=settings,
    serverrole="active directory domain controller", dns_backend="NONE", skip_sysvolacl=True,
    dom_for_fun_level=dsdb.DS_DOMAIN_FUNCTION_2008_R2,
)
"""


@dataclass(kw_only=True)
class Controller:
    folder: Path
    port: int

    @property
    def _socket(self) -> Path:
        return self.folder / "private/ldapi"

    def administrator(self) -> Any:
        import ldap

        handle = ldap.initialize(f"ldapi://{quote(str(self._socket), safe='')}")
        handle.set_option(ldap.OPT_REFERRALS, 0)
        handle.simple_bind_s(READER, SECRET)
        return handle

    def add(self, dn: str, **attributes: str | bytes | Iterable[str]) -> str:
        self._do("add_s", dn, [(name, _values(given)) for name, given in attributes.items()])
        return dn

    def change(self, dn: str, **attributes: str | bytes | Iterable[str]) -> None:
        import ldap

        self._do("modify_s", dn, [(ldap.MOD_REPLACE, name, _values(given)) for name, given in attributes.items()])

    def rename(self, dn: str, new: str) -> None:
        self._do("rename_s", dn, new)

    def number_of(self, dn: str) -> str:
        """The last one of its SID."""
        handle = self.administrator()
        ((_dn, found),) = handle.search_s(dn, 0, attrlist=["objectSid"])
        handle.unbind_s()
        return str(int.from_bytes(found["objectSid"][0][-4:], "little"))

    def add_person(self, name: str, **attributes: str | bytes | Iterable[str]) -> str:
        usual: dict[str, str | bytes | Iterable[str]] = {
            "objectClass": "user",
            "sAMAccountName": name,
            "userPrincipalName": f"{name}.person@{DOMAIN}",
            "givenName": name.title(),
            "mail": f"{name}@mdm.example.test",
            "userAccountControl": ENABLED,
            "unicodePwd": f'"{PASSWORD}"'.encode("utf-16-le"),
        }
        return self.add(f"CN={name.title()},{USERS}", **(usual | attributes))

    def add_group(self, name: str, members: Iterable[str] = ()) -> str:
        listed = {"member": [*members]} if members else {}
        return self.add(f"CN={name},{USERS}", objectClass="group", sAMAccountName=name, **listed)

    def _do(self, method: str, *arguments: Any) -> None:
        handle = self.administrator()
        try:
            getattr(handle, method)(*arguments)
        finally:
            handle.unbind_s()


def _values(given: str | bytes | Iterable[str]) -> list[bytes]:
    if isinstance(given, bytes):
        return [given]
    return [each.encode() for each in ([given] if isinstance(given, str) else given)]


@contextmanager
def running() -> Iterator[Controller]:
    folder = Path(tempfile.mkdtemp(prefix="epmm-samba-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None))
    try:
        provision = ["/usr/bin/python3", "-c", PROVISION, str(folder / "dc"), DOMAIN.upper(), SECRET]
        subprocess.run(provision, check=True, capture_output=True, cwd=folder)
        controller = Controller(folder=folder / "dc", port=free_port())
        process = _start(controller, folder)
        try:
            _wait(controller, process, folder / "log")
            context = server_context("dc1", folder)
            with in_front_of(lambda: asyncio.open_unix_connection(controller._socket), controller.port, context):
                yield controller
        finally:
            process.kill()
            process.communicate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(controller: Controller, folder: Path) -> subprocess.Popen[bytes]:
    options = {
        "server services": "ldap",
        "ldap server require strong auth": "no",  # TLS has ended before
        "interfaces": "127.0.0.10/8",
        "bind interfaces only": "yes",
        "pid directory": folder,
        "ncalrpc dir": folder / "ncalrpc",
        "winbindd socket directory": folder / "winbindd",
        "ntp signd socket directory": folder / "ntp",
        "log file": folder / "samba",
    }
    found = shutil.which("samba", path=PROGRAMS)
    assert found
    command = [found, "-i", "-M", "single", "-s", str(controller.folder / "etc/smb.conf"), "--debug-stdout"]
    wrapped = {"LD_PRELOAD": SOCKET_WRAPPER, "SOCKET_WRAPPER_DIR": str(folder), "SOCKET_WRAPPER_DEFAULT_IFACE": "10"}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [*command, *(f"--option={name}={value}" for name, value in options.items())],
            env=os.environ | wrapped,
            stdin=subprocess.PIPE,  # it ends with whoever holds the other end
            stdout=log,
            stderr=log,
        )


def _wait(controller: Controller, process: subprocess.Popen[bytes], log: Path) -> None:
    import ldap

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            controller.administrator().unbind_s()
        except ldap.SERVER_DOWN:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"Samba did not start:\n{log.read_text()}")


def directory(controller: Controller, **columns: Any) -> Directory:
    """As an administrator would enter it, for the whole domain."""
    usual: dict[str, Any] = {
        "name": "Active Directory",
        "kind": Directory.Kind.ACTIVE_DIRECTORY,
        "domain": DOMAIN,
        "url": f"ldaps://127.0.0.1:{controller.port}",
        "certificates": authority().identity.pem.decode(),
        "bind_name": READER,
        "bind_password": SECRET.encode(),
        "user_base": BASE,
        "group_base": BASE,
        "account_attribute": "mail",
        "connect_seconds": 10,
        "search_seconds": 10,
    }
    return Directory.objects.create(**(usual | columns))
