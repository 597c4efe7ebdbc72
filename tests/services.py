"""What `./test --services` adds: PostgreSQL and Redis that live as long as one run of the suite.

`python -m tests.services [pytest options]` runs the suite twice: whole on SQLite, and on PostgreSQL what is named in
`plan.py`.  A whole run (no options) ends with the coverage that protocol and service code must have.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.ports import free_port

ROOT: Final = Path(__file__).resolve().parent.parent
COVERAGE_PERCENT: Final = 95
NO_TESTS: Final = 5  # pytest's exit status when its options leave no test
START_SECONDS: Final = 60
LEMONLDAP: Final = Path("/usr/share/lemonldap-ng/portal/htdocs/index.psgi")
SOCKET_WRAPPER: Final = "libsocket_wrapper.so"
FORGETFUL: Final = ("fsync=off", "full_page_writes=off")
MEMORY: Final = Path("/dev/shm")
ROOM: Final = 3 << 30
COUNT_LINES: Final = "COVERAGE_PROCESS_START"  # what coverage begins by in a process
PROGRAMS: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"


def missing(service: str) -> str | None:
    """Say what a test that asks for this service lacks here; None when it has all."""
    on_postgresql = bool(os.environ.get("EPMM_DATABASE_URL"))
    match service:
        case "database":  # any: the test uses one in processes of its own
            return None
        case "postgresql" | "sqlite":
            return None if on_postgresql == (service == "postgresql") else f"this run is not on {service}"
        case "redis":
            return None if os.environ.get("EPMM_TEST_REDIS_URL") else "EPMM_TEST_REDIS_URL is not set"
        case "faketime" | "openssl" | "pki" | "nginx" | "haproxy" | "pgbouncer" | "systemd-analyze" | "slapd" | "wrk":
            return None if shutil.which(service, path=PROGRAMS) else f"no program {service}"
        case "chromium" | "lemonldap" | "samba":
            return None if _is_installed(service) else f"no {service}"
        case "apple-schema":
            return None if os.environ.get("EPMM_APPLE_SCHEMA") else "EPMM_APPLE_SCHEMA names no checkout of the schema"
    raise ValueError(f"unknown service {service}")


def chromium() -> str | None:
    """The browser that draws into memory alone works half as long for a page as the one made for screens."""
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


def _is_installed(service: str) -> bool:
    if service == "chromium":
        return chromium() is not None
    if service == "lemonldap":
        return LEMONLDAP.is_file() and shutil.which("plackup") is not None
    return shutil.which(service, path=PROGRAMS) is not None and any(Path("/usr/lib").glob(f"*/{SOCKET_WRAPPER}"))


def required(service: str) -> bool:
    """True where the service must be there; Apple's schema is nothing that we could install."""
    return os.environ.get("EPMM_TEST_SERVICES") == "required" and service != "apple-schema"


def main(options: Sequence[str]) -> int:
    # by default SIGTERM ends Python without leaving the `with` blocks, and the servers would live on
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="epmm-services-", dir=_in_memory()) as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL runs as an account of its own
        with postgresql(directory / "postgresql") as database_url, redis(directory / "redis") as redis_url:
            coverage = {"COVERAGE_FILE": str(directory / "coverage")}
            environment = {"EPMM_TEST_SERVICES": "required", "EPMM_TEST_REDIS_URL": redis_url, "TMPDIR": name}
            environment |= coverage | {COUNT_LINES: str(ROOT / "pyproject.toml")}
            sqlite = _suite("SQLite", options, environment)
            both = sqlite, _suite("PostgreSQL", options, environment | {"EPMM_DATABASE_URL": database_url})
        if both == (0, 0) and not options:
            return _coverage(coverage)
    return max((status for status in both if status != NO_TESTS), default=NO_TESTS)


def _in_memory() -> Path | None:
    """A disk would be most of what the tests wait for; what is killed in them is processes, never the machine."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
    return MEMORY if has_room and "TMPDIR" not in os.environ else None


def _suite(database: str, options: Sequence[str], environment: Mapping[str, str]) -> int:
    sys.stdout.write(f"\nThe suite on {database}\n")
    sys.stdout.flush()
    workers = len(os.sched_getaffinity(0)) + 1  # one more than cores: each waits at times, for a browser or a process
    # what a module has started serves all its tests: they stay together, and modules come in the order of `plan.py`
    dealt = ("-n", str(workers), "--dist=loadfile", "--no-loadscope-reorder")
    return _python("pytest", *dealt, "-rs", *options, environment=environment)


def _coverage(environment: Mapping[str, str]) -> int:
    _python("coverage", "combine", "--quiet", environment=environment)
    return _python("coverage", "report", f"--fail-under={COVERAGE_PERCENT}", environment=environment)


def _python(module: str, *arguments: str, environment: Mapping[str, str]) -> int:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False).returncode


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A PostgreSQL that can be started."""

    directory: Path
    command: Sequence[str | Path]
    port: int
    account: str | None  # whose process it must be

    @property
    def url(self) -> str:
        """Of a database that is empty."""
        return f"postgresql://epmm@127.0.0.1:{self.port}/postgres"


def new_cluster(directory: Path, options: Sequence[str]) -> Cluster:
    account = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    directory.mkdir()
    if account:
        shutil.chown(directory, account, pwd.getpwnam(account).pw_gid)
    programs, data = postgresql_programs(), directory / "data"
    initdb: list[str | Path] = [programs / "initdb", "-D", data, "--username=epmm", "--auth=trust", "--no-sync"]
    initdb += ["--encoding=UTF8", "--no-locale", "--no-instructions"]
    subprocess.run(initdb, cwd=directory, user=account, group=account, check=True, stdout=subprocess.DEVNULL)
    port = free_port()
    server: list[str | Path] = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port)]
    for option in ("max_connections=200", "unix_socket_directories=", *options):
        server += ["-c", option]
    return Cluster(directory=directory, command=server, port=port, account=account)


@contextmanager
def postgresql(directory: Path, options: Sequence[str] = FORGETFUL) -> Iterator[str]:
    """A cluster that is thrown away at the end, and so need not remember.  Yields the URL of an empty database."""
    cluster = new_cluster(directory, options)
    with _running(cluster.command, directory=directory, port=cluster.port, account=cluster.account):
        yield cluster.url


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    directory.mkdir()
    port = free_port()
    with _running(redis_command(port), directory=directory, port=port):
        yield f"redis://127.0.0.1:{port}/0"


def redis_command(port: int) -> list[str]:
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]


@contextmanager
def _running(
    command: Sequence[str | Path], *, directory: Path, port: int, account: str | None = None
) -> Iterator[None]:
    log = directory / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=directory,
            user=account,
            group=account,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            _wait_until_listening(process, port, log)
            yield
        finally:
            process.send_signal(signal.SIGINT)  # to PostgreSQL: do not wait for clients that a test left behind
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()}")


def postgresql_programs() -> Path:
    """Debian keeps the server's programs out of the path, by version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parent.parent.name))
    initdb = found[-1] if found else shutil.which("initdb")
    if initdb is None:
        raise RuntimeError("PostgreSQL is not installed")
    return Path(initdb).parent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
