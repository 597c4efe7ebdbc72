"""What the commands of the two doors have in common."""

import os
import socket
from argparse import ArgumentTypeError
from typing import Any, ClassVar, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from epmm import gateway, listening
from epmm.management.commands.up import HIGHEST_PORT


class Serving(BaseCommand):
    """A process behind a proxy, on the sockets that systemd gives it or on one of its own."""

    application: ClassVar[str]
    requires_system_checks: Final = ()  # type: ignore[misc] # each process of each machine would ask the same again

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--bind", type=place, help="unix:PATH or HOST:PORT; left out where systemd opens the socket"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        os.umask(0o077)
        gateway.serve_behind_proxy(self.application, gateway.inherited() or opened(options["bind"]))


def opened(bind: str | None) -> list[socket.socket]:
    if bind is None:
        raise CommandError("say where to listen: --bind unix:PATH or --bind HOST:PORT")
    try:
        return listening.listen_at(bind)
    except OSError as error:
        raise CommandError(f"cannot listen on {bind}: {error.strerror}") from error


def place(text: str) -> str:
    host, _, port = text.rpartition(":")
    is_port = bool(host) and port.isdecimal() and 0 < int(port) <= HIGHEST_PORT
    if not is_port and not (text.startswith("unix:/")):
        raise ArgumentTypeError("must be unix:/PATH or HOST:PORT")
    return text
