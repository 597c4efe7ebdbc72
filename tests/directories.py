"""Real LDAP servers for tests: OpenLDAP's slapd in folders and on ports of their own, with TLS and `memberOf`."""

import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from epmm import dev_tls
from tests.ports import free_port
from tests.services import PROGRAMS
from users.models import Directory

BASE: Final = "dc=example,dc=test"
PEOPLE: Final = f"ou=people,{BASE}"
GROUPS: Final = f"ou=groups,{BASE}"
ROOT: Final = f"cn=root,{BASE}"
READER: Final = f"cn=reader,{BASE}"
SECRET: Final = "the reader's own"
PASSWORD: Final = "correct horse battery"
START_SECONDS: Final = 120
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=UTC)  # so that not all seem to have changed just now
CONFIGURATION: Final = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
argsfile {folder}/args
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile {ca}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
sizelimit {size_limit}
database mdb
suffix "{base}"
rootdn "{root}"
rootpw "{secret}"
directory {folder}/data
maxsize 4294967296
dbnosync
index objectClass,uid,cn,mail,member,memberOf,entryUUID,modifyTimestamp eq
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
overlay memberof
memberof-refint TRUE
"""


@dataclass(kw_only=True)
class Slapd:
    folder: Path
    size_limit: str = "unlimited"
    plain_port: int = field(default_factory=free_port)
    tls_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """By its number: for `localhost` libldap checks the certificate against the machine's own name."""
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def plain_url(self) -> str:
        return f"ldap://127.0.0.1:{self.plain_port}"

    @property
    def misnamed_url(self) -> str:
        """There, too; but the certificate does not say so."""
        return f"ldaps://127.0.0.2:{self.tls_port}"

    @cached_property
    def ca(self) -> str:
        return self._tls().ca.read_text()

    def _tls(self) -> dev_tls.ServerFiles:
        return dev_tls.ensure(self.folder / "tls", host="127.0.0.1", now=datetime.now(UTC))

    def make(self, ldif: str = "") -> None:
        """An empty directory with its reader; and what else `ldif` holds."""
        (self.folder / "data").mkdir(parents=True)
        tls = self._tls()
        configuration = CONFIGURATION.format(
            folder=self.folder,
            ca=tls.ca,
            certificate=tls.certificate,
            key=tls.key,
            size_limit=self.size_limit,
            base=BASE,
            root=ROOT,
            secret=SECRET,
        )
        (self.folder / "slapd.conf").write_text(configuration)
        self.load(SEED + ldif)

    def load(self, ldif: str) -> None:
        (self.folder / "seed.ldif").write_text(ldif)
        command: list[str | Path] = [
            program("slapadd"),
            "-q",
            "-f",
            self.folder / "slapd.conf",
            "-l",
            self.folder / "seed.ldif",
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self) -> None:
        listening = f"{self.plain_url} {self.url} {self.misnamed_url}"
        command: list[str | Path] = [program("slapd"), "-f", self.folder / "slapd.conf", "-h", listening, "-d", "0"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline, "slapd did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        import ldap

        try:
            self.administrator().unbind_s()
        except ldap.SERVER_DOWN:
            return False
        return True

    def administrator(self) -> Any:
        import ldap

        handle = ldap.initialize(self.plain_url)
        handle.simple_bind_s(ROOT, SECRET)
        return handle

    def add(self, dn: str, **attributes: str | Iterable[str]) -> None:
        values = {name: [text] if isinstance(text, str) else [*text] for name, text in attributes.items()}
        with_administrator(
            self, "add_s", dn, [(name, [each.encode() for each in given]) for name, given in values.items()]
        )

    def change(self, dn: str, **attributes: str | Iterable[str]) -> None:
        import ldap

        values = {name: [text] if isinstance(text, str) else [*text] for name, text in attributes.items()}
        changes = [
            (ldap.MOD_REPLACE, name, [each.encode() for each in given] or None) for name, given in values.items()
        ]
        with_administrator(self, "modify_s", dn, changes)

    def remove(self, dn: str) -> None:
        with_administrator(self, "delete_s", dn)

    def rename(self, dn: str, new: str, superior: str | None = None) -> None:
        with_administrator(self, "rename_s", dn, new, superior)

    def add_person(self, uid: str, *, unit: str = PEOPLE, **attributes: str | Iterable[str]) -> str:
        dn = f"uid={uid},{unit}"
        self.add(dn, **(_person(uid) | attributes))
        return dn

    def add_group(self, name: str, members: Iterable[str]) -> str:
        dn = f"cn={name},{GROUPS}"
        self.add(dn, objectClass="groupOfNames", cn=name, member=members)
        return dn


def with_administrator(server: Slapd, method: str, *arguments: Any) -> None:
    handle = server.administrator()
    try:
        getattr(handle, method)(*arguments)
    finally:
        handle.unbind_s()


def program(name: str) -> str:
    found = shutil.which(name, path=PROGRAMS)
    assert found, f"no program {name}"
    return found


def _person(uid: str) -> dict[str, str | Iterable[str]]:
    name = uid.title()
    return {
        "objectClass": "inetOrgPerson",
        "uid": uid,
        "cn": name,
        "sn": f"{name}son",
        "givenName": name,
        "displayName": f"{name} {name}son",
        "mail": f"{uid}@mdm.example.test",
        "userPassword": PASSWORD,
    }


SEED: Final = f"""dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {SECRET}

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

"""


def people_ldif(count: int, first: int = 0) -> str:
    """As many, named by number, for a fast load."""
    return "".join(
        f"dn: uid=p{number},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: p{number}\ncn: P{number}\nsn: Number{number}\n"
        f"givenName: P\nmail: p{number}@mdm.example.test\ndepartmentNumber: {number % 50}\n"
        f"modifyTimestamp: {LONG_AGO + timedelta(minutes=number):%Y%m%d%H%M%SZ}\n\n"
        for number in range(first, first + count)
    )


@contextmanager
def running(folder: Path, *, ldif: str = "", size_limit: str = "unlimited") -> Iterator[Slapd]:
    server = Slapd(folder=folder, size_limit=size_limit)
    server.make(ldif)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def directory(server: Slapd, name: str = "Example", **columns: Any) -> Directory:
    """As an administrator would enter it."""
    usual: dict[str, Any] = {
        "url": server.url,
        "certificates": server.ca,
        "bind_name": READER,
        "bind_password": SECRET.encode(),
        "user_base": PEOPLE,
        "group_base": GROUPS,
        "unit_base": BASE,
        "account_attribute": "mail",
        "connect_seconds": 30,
        "search_seconds": 60,
    }
    return Directory.objects.create(name=name, **(usual | columns))
