import asyncio
import contextlib
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.apns_standin import lab
from devices.apns_standin.script import Script, read_answers
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from epmm.dev_tls import ServerFiles

SHOWN: Final = 8  # hex digits of a token


class Command(BaseCommand):
    help = (
        "Play APNs for laboratories and tests: HTTP/2 over TLS, as strict as Apple's. Makes its certificates in "
        "apns-lab of the data directory; a client trusts ca.pem there and shows a push certificate made by "
        "--push-certificate."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="what to listen on, and what the certificate names")
        parser.add_argument("--port", type=int, default=2197)
        parser.add_argument("--ca", type=Path, metavar="FILE", help="who signs push certificates; apns-lab/ca.pem")
        parser.add_argument(
            "--push-certificate", type=Path, metavar="FILE", help="write a push certificate with its key, PEM, and end"
        )
        parser.add_argument("--topic", help="of that push certificate")
        parser.add_argument(
            "--answer",
            action="append",
            default=[],
            metavar="TOKENHEX=STATUS[:REASON[:MILLISECONDS]]",
            help="what a token is answered; =none: nothing",
        )
        parser.add_argument("--answers", type=Path, metavar="FILE", help="as --answer, a line each")
        parser.add_argument("--streams", type=int, default=1000, help="how many at once, after the first good push")
        parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS")
        parser.add_argument("--goaway-after", type=int, default=0, metavar="N", help="requests of one connection")
        parser.add_argument("--goaway-reason", default="", metavar="REASON")
        parser.add_argument("--reset-every", type=int, default=0, metavar="N", help="refuse each Nth stream")
        parser.add_argument("--drop-after", type=int, default=0, metavar="N", help="cut the line after N requests")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.DATA_DIR / "apns-lab"
        try:
            files = lab.ensure(folder, host=options["host"], now=datetime.now(UTC))
            if options["push_certificate"]:
                self._write_push_certificate(files, options)
            else:
                self._serve(files, options)
        except (OSError, ValueError, OverflowError) as error:
            raise CommandError(f"The stand-in cannot work: {error}") from error

    def _write_push_certificate(self, files: ServerFiles, options: dict[str, Any]) -> None:
        if not options["topic"]:
            raise CommandError("--push-certificate needs --topic, such as com.apple.mgmt.External.UUID.")
        pem = lab.make_push_certificate(files, topic=options["topic"], now=datetime.now(UTC))
        lab.write(options["push_certificate"], pem)
        self.stdout.write(f"{options['push_certificate']}: certificate and key for {options['topic']}")

    def _serve(self, files: ServerFiles, options: dict[str, Any]) -> None:
        tls = server_context(files, clients=options["ca"] or files.ca)
        stand_in = StandIn(tls=tls, script=read_script(options), watcher=self._tell)
        asyncio.run(self._run(stand_in, files, options))

    async def _run(self, stand_in: StandIn, files: ServerFiles, options: dict[str, Any]) -> None:
        await stand_in.start(host=options["host"], port=options["port"])
        self.stdout.write(f"APNs stand-in on {options['host']}:{stand_in.port}, trusted by {files.ca}")
        self.stdout.flush()
        serving = asyncio.create_task(stand_in.serve())
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
        ):  # also where the first is ignored, as in the background of a shell
            asyncio.get_running_loop().add_signal_handler(number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving
        await stand_in.close()

    def _tell(self, seen: Seen) -> None:
        self.stdout.write(describe(seen))
        self.stdout.flush()


def describe(seen: Seen) -> str:
    answer, fields = seen.answer, seen.asked.fields
    said = f"{answer.status} {answer.reason}".rstrip() if answer.status else "no answer"
    told = " ".join(f"{name.removeprefix('apns-')}={fields.get(name, '-')}" for name in _SHOWN_HEADERS)
    line = f"{said}  {seen.asked.token[:SHOWN]}...  {told}"
    return "".join(character if character.isprintable() else "?" for character in line)


def read_script(options: dict[str, Any]) -> Script:
    lines = [*(options["answers"].read_text().splitlines() if options["answers"] else []), *options["answer"]]
    return Script(
        answers=read_answers(lines),
        streams=options["streams"],
        delay=options["delay"],
        goaway_after=options["goaway_after"],
        goaway_reason=options["goaway_reason"],
        reset_every=options["reset_every"],
        drop_after=options["drop_after"],
    )


_SHOWN_HEADERS: Final = ("apns-topic", "apns-priority", "apns-expiration", "apns-id")
