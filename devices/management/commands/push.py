from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from devices.services import push_certificates, waking
from epmm import audit


class Command(BaseCommand):
    help = "What Apple's push service made of the devices' tokens."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser(
            "retry", help="push again to tokens that were refused; those that are dead are refused again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        credentials = push_certificates.current()
        if credentials is None:
            raise CommandError("Push is not set up. Begin with: manage.py push_certificate request")
        tried, topic = waking.retry(), credentials.topic
        audit.record(
            "push.retried", actor="manage.py", subject_type="push_certificate", subject=topic, details={"tokens": tried}
        )
        self.stdout.write(f"Refused tokens that count again: {tried}. Open commands of their devices go out now.")
