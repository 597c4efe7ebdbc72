import asyncio
import os
import socket
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from epmm import dev_tls, listening, locks, probe
from epmm.checks import INSTALLATION, is_pair
from epmm.supervisor import Child, Say, prefixed, supervise

HTTPS_PORT: Final = 443
HIGHEST_PORT: Final = 65535
WAIT_FOR_ORPHANS: Final = 25.0  # longer than a child takes to end once its supervisor is gone (epmm/lifeline.py)


class Command(BaseCommand):
    help = (
        "Start EPMM: prepare the database, then run the gateway (both doors on one TLS port) and the worker under one "
        "supervisor. Stop it with Ctrl-C or SIGTERM."
    )
    requires_system_checks = ()  # run below, once the files they look at are there

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", help="address or name to listen on; all addresses when left out")
        parser.add_argument("--port", type=port_number, help="port to listen on; the public URL's when left out")
        parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="your own chain, server first, PEM")
        parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, PEM, without a password")
        # manage.py takes these two before Django starts, since the settings depend on them
        parser.add_argument("--public-url", metavar="URL", help="what devices call: https://HOST or https://HOST:PORT")
        parser.add_argument("--data", metavar="DIR", help="data directory; EPMM_DATA_DIR or var/ when left out")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["public_url"] or options["data"]:
            raise CommandError("write --public-url and --data in full, each with its value")
        began = time.monotonic()
        os.umask(0o077)  # whatever we or our children write is for this account alone
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            running = stack.enter_context(running_alone(settings.DATA_DIR))
            sockets = listen(options["host"], options["port"] or urlsplit(settings.PUBLIC_URL).port or HTTPS_PORT)
            stack.callback(listening.close, sockets)
            certificate, key = tls_files(options["tls_certificate"], options["tls_key"])
            try:
                self._prepare(certificate, key)
            except OperationalError as error:
                raise CommandError(f"the database cannot be used: {str(error).partition(chr(10))[0]}") from error
            say = prefixed(len("gateway"))
            children = [gateway(sockets, certificate, key, running), worker(running)]
            asyncio.run(run(children, sockets, say=say, began=began))
            say("up", "stopped")

    def _prepare(self, certificate: Path, key: Path) -> None:
        """Everything that a start does before the first child; nothing that is in place is done again."""
        remember(settings.DATA_DIR / "public_url", settings.PUBLIC_URL)
        remember(settings.DATA_DIR / "tls_files", f"{certificate}\n{key}")
        os.environ["EPMM_DATA_DIR"] = str(settings.DATA_DIR)
        os.environ["EPMM_PUBLIC_URL"] = settings.PUBLIC_URL
        os.environ.setdefault("EPMM_SIGNING_CERTIFICATE", str(certificate))
        os.environ.setdefault("EPMM_SIGNING_KEY", str(key))
        self.check(tags=[INSTALLATION])
        call_command("migrate", interactive=False, verbosity=0)
        call_command("prepare", stdout=self.stdout)


async def run(children: list[Child], sockets: list[socket.socket], *, say: Say, began: float) -> None:
    announcing = asyncio.create_task(announce(sockets[0], say=say, began=began))
    await supervise(children, say=say)
    announcing.cancel()


async def announce(listener: socket.socket, *, say: Say, began: float) -> None:
    await probe.until_answering(listener, host=urlsplit(settings.PUBLIC_URL).netloc)
    say("up", f"ready after {time.monotonic() - began:.1f} s; the address is {settings.PUBLIC_URL}/")
    authority = settings.TLS_DIR / "ca.pem"
    if authority.is_file():
        say("up", f"devices and browsers must trust the development CA in {authority}")


@contextmanager
def running_alone(directory: Path) -> Iterator[int]:
    """Yield the descriptor that children keep open: what a killed supervisor left must have ended before we start."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.held(directory / "up.lock"))
        except locks.LockedError:
            raise CommandError(f"EPMM is already running on {directory}") from None
        try:
            yield stack.enter_context(locks.held(directory / "children.lock", wait=WAIT_FOR_ORPHANS))
        except locks.LockedError:
            raise CommandError(f"processes of an earlier start are still running on {directory}") from None


def listen(host: str | None, port: int) -> list[socket.socket]:
    try:
        return listening.listen(host, port)
    except OSError as error:
        raise CommandError(f"cannot listen on {host or 'any address'}, port {port}: {error.strerror}") from error


def tls_files(certificate: Path | None, key: Path | None) -> tuple[Path, Path]:
    if certificate is None and key is None:
        files = dev_tls.ensure(settings.TLS_DIR, host=settings.PUBLIC_HOST, now=datetime.now(UTC))
        return files.certificate, files.key
    if certificate is None or key is None or not is_pair(certificate, key):
        raise CommandError("--tls-certificate and --tls-key must be two PEM files that belong together, no password")
    return certificate.resolve(), key.resolve()


def remember(path: Path, text: str) -> None:
    """The other commands read it from there."""
    if not path.is_file() or path.read_text().strip() != text:
        draft = path.with_suffix(".new")
        draft.write_text(f"{text}\n")
        draft.replace(path)


def gateway(sockets: list[socket.socket], certificate: Path, key: Path, running: int) -> Child:
    numbers = [each.fileno() for each in sockets]
    command = [sys.executable, "-m", "epmm.gateway", "--certificate", str(certificate), "--key", str(key)]
    for number in numbers:
        command += ["--fd", str(number)]
    return Child(name="gateway", command=command, directory=settings.BASE_DIR, descriptors=[*numbers, running])


def worker(running: int) -> Child:
    command = [sys.executable, "-m", "epmm.lifeline", "manage", "worker"]
    return Child(name="worker", command=command, directory=settings.BASE_DIR, descriptors=[running])


def port_number(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= HIGHEST_PORT:
        raise ArgumentTypeError(f"must be a port number from 1 to {HIGHEST_PORT}")
    return int(text)
