import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from devices.models import PushCertificate, PushRequest
from devices.protocol.push_certificate import to_pem
from devices.services import push_expiry, push_installation, push_requests, push_topics
from devices.services.push_installation import ConfirmationNeeded
from devices.services.push_requests import PushCertificateRefused
from epmm.numbers import in_utc

ACTOR: Final = "manage.py"
PORTAL: Final = "https://identity.apple.com/pushcert"


class Command(BaseCommand):
    help = "The certificate that wakes devices: ask Apple for it, install and renew it, show it."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        request = actions.add_parser("request", help="print the open request (PEM), or begin one with a new key")
        request.add_argument("--new", action="store_true", help="give the open request up and begin anew")
        request.add_argument("--der", action="store_true", help="write DER instead of PEM; needs --output")
        sign = actions.add_parser("sign", help="sign the request with your own MDM vendor certificate")
        sign.add_argument("--vendor-certificate", type=Path, required=True, metavar="FILE", help="the chain, PEM")
        sign.add_argument("--vendor-key", type=Path, required=True, metavar="FILE", help="PEM, without a password")
        check = actions.add_parser("check-signed", help="check a request that a vendor has signed elsewhere")
        check.add_argument("file", type=Path)
        for action in (request, sign, check):
            action.add_argument("--output", type=Path, metavar="FILE", help="write there instead of printing")
        install = actions.add_parser("install", help="install what Apple's portal gave you, the first time or renewed")
        install.add_argument("file", type=Path, help="PEM or DER")
        install.add_argument("--key", type=Path, metavar="FILE", help="its key, when it comes from another server")
        install.add_argument("--apple-account", metavar="NAME", help="whom it was issued to: told to whoever renews it")
        install.add_argument("--yes", action="store_true", help="install it in spite of the consequences")
        show = actions.add_parser("show", help="show the certificate, and how many devices have its topic")
        show.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        action = getattr(self, f"_{options['action'].replace('-', '_')}")
        try:
            action(options)
        except ConfirmationNeeded as needed:
            raise CommandError(f"{needed} Nothing was changed. Add --yes if that is what you want.") from needed
        except PushCertificateRefused as refused:
            raise CommandError(str(refused)) from refused

    def _request(self, options: dict[str, Any]) -> None:
        if options["der"] and options["output"] is None:
            raise CommandError("--der needs --output FILE.")
        with transaction.atomic():  # a request that cannot be written gives none up
            csr = bytes(push_requests.request(anew=options["new"], actor=ACTOR).csr)
            self._put(csr if options["der"] else to_pem(csr), options["output"], "Have it signed by your MDM vendor.")

    def _sign(self, options: dict[str, Any]) -> None:
        chain, key = _read(options["vendor_certificate"]), _read(options["vendor_key"])
        self._put(push_requests.sign(chain=chain, key=key), options["output"], f"Upload it at {PORTAL}")

    def _check_signed(self, options: dict[str, Any]) -> None:
        self._put(push_requests.check_signed(_read(options["file"])), options["output"], f"Upload it at {PORTAL}")

    def _install(self, options: dict[str, Any]) -> None:
        key = _read(options["key"]) if options["key"] is not None else None
        row = push_installation.install(
            _read(options["file"]),
            key=key,
            apple_account=options["apple_account"],
            confirmed=options["yes"],
            actor=ACTOR,
        )
        self.stdout.write(f"Installed: {row.topic}, valid until {row.not_after:%Y-%m-%d}")

    def _show(self, options: dict[str, Any]) -> None:
        facts = _facts()
        if options["json"]:
            self.stdout.write(json.dumps(facts, indent=2, cls=DjangoJSONEncoder))
            return
        self.stdout.write(push_expiry.condition(timezone.now()).sentence)
        by_topic = facts.pop("devices_by_topic")
        for name, value in facts.items():
            if value not in {None, ""}:
                self.stdout.write(f"{name:20}{in_utc(value) if isinstance(value, datetime) else value}")
        for topic, devices in by_topic.items():
            self.stdout.write(f"{'devices':20}{devices} under {topic}")

    def _put(self, content: bytes, output: Path | None, then: str) -> None:
        if output is None:
            self.stdout.write(content.decode().rstrip("\n"))
            return
        try:
            output.write_bytes(content)
        except OSError as error:
            raise CommandError(f"{output}: {error.strerror}") from error
        self.stdout.write(f"Written to {output}. {then}")


def _facts() -> dict[str, Any]:
    now = timezone.now()
    row = PushCertificate.objects.defer("private_key").first()
    facts: dict[str, Any] = {"state": push_expiry.condition(now).state, "topic": push_topics.for_new_enrollments()}
    if row is not None:
        facts |= {
            "serial_number": row.serial_number,
            "sha256": bytes(row.sha256).hex(),
            "issuer": row.issuer,
            "apple_account": row.apple_account,
            "not_before": row.not_before,
            "not_after": row.not_after,
            "days_left": row.days_left(now),
            "installed_at": row.installed_at,
        }
    request_open_since = PushRequest.objects.values_list("created_at", flat=True).first()
    return facts | {"request_open_since": request_open_since, "devices_by_topic": push_topics.devices_by_topic()}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
