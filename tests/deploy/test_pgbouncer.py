"""A real PgBouncer in transaction mode, with the file of `deploy/`, between every process and PostgreSQL."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from enrollment.simulator.hardware import Family
from enrollment.simulator.mdm_link import Proof
from tests.deploy.lost_answers import a_call_is_done_once
from tests.deploy.production import DEPLOY, PASSWORD, PROXIES, Production, production
from tests.epmm.processes import eventually
from tests.migrated import new_database
from tests.ports import free_port

pytestmark = [pytest.mark.service("postgresql"), pytest.mark.service("pgbouncer"), pytest.mark.service("nginx")]


@contextmanager
def pgbouncer(directory: Path, url: str) -> Iterator[str]:
    """Yields the URL of the same database behind it."""
    behind, port = urlsplit(url), free_port()
    name = behind.path.strip("/")
    (directory / "userlist.txt").write_text(f'"{behind.username}" ""\n')
    text = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()
    for there, here in (
        ("epmm = host=10.0.0.4 port=5432 dbname=epmm", f"{name} = host=127.0.0.1 port={behind.port} dbname={name}"),
        ("listen_port = 6432", f"listen_port = {port}"),
        ("scram-sha-256", "trust"),
        (
            "server_tls_sslmode = require",
            "server_tls_sslmode = disable",
        ),  # the tests' has no certificate
        ("/etc/pgbouncer/", f"{directory}/"),
        ("/var/log/postgresql/", f"{directory}/"),
        ("/var/run/postgresql/pgbouncer.pid", f"{directory}/pid"),
        ("unix_socket_dir = /var/run/postgresql", "unix_socket_dir ="),
        # few, and taken in turns: whatever one transaction left in a session, the next one of somebody else would meet
        ("query_wait_timeout = 4", "query_wait_timeout = 60"),  # a shared machine may stand still for seconds
        ("default_pool_size = 20", "default_pool_size = 4\nserver_round_robin = 1"),
    ):
        assert there in text
        text = text.replace(there, here)
    (directory / "pgbouncer.ini").write_text(text)
    account = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
    if account:
        for path in (directory, *directory.iterdir()):
            shutil.chown(path, account)
    program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
    with subprocess.Popen([program, "-q", str(directory / "pgbouncer.ini")], user=account, group=account) as process:
        pooled = behind._replace(netloc=f"{behind.username}@127.0.0.1:{port}").geturl()
        try:
            eventually(lambda: connects(pooled))
            yield pooled
        finally:
            process.terminate()


def connects(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def pooled() -> Iterator[Production]:
    # not below pytest's own folder, which another account may not enter
    with tempfile.TemporaryDirectory(prefix="epmm-pgbouncer-") as name, ExitStack() as stack:
        url = stack.enter_context(pgbouncer(Path(name), new_database()))
        machine = stack.enter_context(production(EPMM_DATABASE_URL=url, EPMM_DATABASE_POOLER="transaction"))
        stack.enter_context(PROXIES["nginx"](machine))
        yield machine


def test_a_whole_installation_works_through_it(pooled: Production) -> None:
    devices_enroll_and_work(pooled)
    nothing_stays_behind(pooled)
    a_call_is_done_once(pooled, pooled.environment["EPMM_DATABASE_URL"])
    the_worker_works(pooled)


def devices_enroll_and_work(machine: Production) -> None:
    for family in (Family.IPHONE, Family.MAC):
        device = machine.device(family, proof=Proof.SIGNATURE)
        device.enroll(password=PASSWORD)
        executed = device.connect()
        assert executed
        assert {item.status for item in executed} == {"Acknowledged"}
        for _ in range(20):  # each in another session
            assert device.send_status("Idle").status_code == 200
        device.network.close()

    logs = "".join(machine.log(name) for name in ("gateway-1", "gateway-2", "web-1", "web-2"))
    assert " 503 " not in logs, "not even the first connect after the start was turned away"
    assert "prepared statement" not in logs


def nothing_stays_behind(machine: Production) -> None:
    """In a session that others use: the door's limits would end a report of the portal, its plans make it slow."""
    with psycopg.connect(machine.environment["EPMM_DATABASE_URL"], autocommit=True, prepare_threshold=None) as session:
        for _ in range(8):
            row = session.execute(
                "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
                " current_setting('enable_seqscan'),"
                " (SELECT count(*) FROM pg_prepared_statements)"
            ).fetchone()
            assert row == ("0", "0", "on", 0)


def the_worker_works(machine: Production) -> None:
    process = subprocess.Popen([sys.executable, "manage.py", "worker"], env=machine.environment, cwd=DEPLOY.parent)
    try:
        eventually(lambda: jobs_done(machine) > 0)
        eventually(lambda: machine.ask("web-1", "GET", "/readyz").status_code == 200)
    finally:
        process.terminate()
        assert process.wait(60) == 0


def jobs_done(machine: Production) -> int:
    with psycopg.connect(machine.environment["EPMM_DATABASE_URL"], prepare_threshold=None) as session:
        (count,) = session.execute("SELECT count(done_at) FROM epmm_job").fetchone() or (0,)
        return int(count)
