from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services import push_certificates, push_topics, waking
from devices.services.find import DeviceNotFound, find_device
from epmm import audit


class Command(BaseCommand):
    help = "Have a device connect now (Force Device Check-In)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("device", help="UUID, UDID or serial number")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            device = find_device(options["device"])
        except DeviceNotFound as error:
            raise CommandError(str(error)) from error
        if (credentials := push_certificates.current()) is None:
            raise CommandError("Push is not set up. Begin with: manage.py push_certificate request")
        if sentence := push_topics.why_not(device, credentials.topic):
            raise CommandError(sentence)
        if not waking.wake(device):
            raise CommandError("This device cannot be woken: it is not managed, or the push service does not know it.")
        audit.record("device.woken", actor="manage.py", subject_type="device", subject=str(device.uuid))
        self.stdout.write("The push goes out now; the device connects as soon as it is reachable.")
