import json
import logging
import sys
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.enrollee import Step
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.identity import Authority
from enrollment.simulator.network import Network
from enrollment.simulator.refusal import DeviceRefused


class Command(BaseCommand):
    help = (
        "Play devices over HTTPS: enroll, answer commands, sign out; stop at what a real device would not accept. "
        "Their built-in certificates come from lab/device-ca.pem of the data directory: "
        "a server that requires genuine signatures accepts them with EPMM_EXTRA_DEVICE_CA."
    )
    requires_system_checks = ()  # it looks at the server from outside

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("identifier", help="what the person types on the device: user@domain")
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        parser.add_argument("--pin", help="a registration PIN")
        parser.add_argument("--family", choices=[family.value for family in Family], default=Family.IPHONE.value)
        parser.add_argument("--count", type=int, default=1, help="how many devices, one after the other")
        parser.add_argument("--connects", type=int, default=1, help="how often each one asks for commands")
        parser.add_argument("--check-out", action="store_true", help="sign out at the end")
        parser.add_argument("--udid", help="play the same device again; without it each one is new")
        parser.add_argument("--serial", help="as --udid")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        _check(options)
        _quiet()
        password = _read_password() if options["password_stdin"] else None
        told: list[dict[str, Any]] = []
        try:
            for number in range(1, options["count"] + 1):
                self._play(number, password, options, told)
        finally:
            if options["json"]:
                self.stdout.write(json.dumps({"devices": told}, indent=2))

    def _play(self, number: int, password: str | None, options: dict[str, Any], told: list[dict[str, Any]]) -> None:
        hardware = Hardware.new(Family(options["family"]), udid=options["udid"], serial=options["serial"])
        steps: list[dict[str, Any]] = []
        told.append({"family": hardware.family, "udid": hardware.udid, "serial": hardware.serial, "steps": steps})
        name = f"{number}/{options['count']} {hardware.family} {hardware.serial}"

        def observe(step: Step) -> None:
            steps.append(asdict(step))
            if not options["json"]:
                outcome = f"failed: {step.problem}" if step.problem else step.detail
                self.stdout.write(f"{name}  {step.name:<18} {step.seconds * 1000:6.0f} ms  {outcome}".rstrip())

        device = SimulatedDevice(
            options["identifier"],
            hardware=hardware,
            network=Network(trust=settings.TLS_DIR / "ca.pem"),
            maker=_maker(),
            ports=_public_port(),
            observer=observe,
        )
        try:
            live(device, password=password, options=options)
        except DeviceRefused as error:
            raise CommandError(f"{hardware.family} {hardware.serial}: {' '.join(str(error).split())}") from error
        finally:
            device.close()


def live(device: SimulatedDevice, *, password: str | None, options: dict[str, Any]) -> None:
    device.enroll(password=password, pin=options["pin"])
    for _ in range(options["connects"]):
        for channel in device.membership.channels:
            if device.enrolled:
                device.connect(channel)
    if options["check_out"] and device.enrolled:
        device.check_out()


def _check(options: dict[str, Any]) -> None:
    if not options["password_stdin"] and not options["pin"]:
        raise CommandError("The person needs a password (--password-stdin), a PIN (--pin), or both.")
    if options["count"] < 1 or options["connects"] < 0:
        raise CommandError("--count is at least 1 and --connects at least 0.")
    if options["count"] > 1 and (options["udid"] or options["serial"]):
        raise CommandError("--udid and --serial name one device, so they go with --count 1.")


def _maker() -> Authority:
    folder = settings.DATA_DIR / "lab"
    try:
        return Authority.in_folder(folder)
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{folder}: the CA of the laboratory's devices cannot be read ({error}).") from error


def _quiet() -> None:
    """The client's own log would name the addresses of the sign-in, and those hold its state."""
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _read_password() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandError("The password on standard input is not valid text.") from error


def _public_port() -> dict[str, int]:
    """Discovery goes to port 443 of the typed domain; our own public host may listen elsewhere."""
    address = urlsplit(settings.PUBLIC_URL)
    return {address.hostname: address.port} if address.hostname and address.port else {}
