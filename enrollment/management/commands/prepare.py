import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from devices.services import push_expiry
from enrollment.services import authorities
from users.models import User
from users.services import people


class Command(BaseCommand):
    help = "Do once what a new installation needs: keys, and its first administrator.  `up` calls it at each start."

    def handle(self, *args: Any, **options: Any) -> None:
        authorities.device_ca()
        authorities.scep_ra()
        authorities.profile_signer()
        if not User.objects.filter(is_admin=True).exists():
            self._make_first_administrator()
        self.stdout.write(f"Address: {settings.PUBLIC_URL}/")
        self.stdout.write(push_expiry.condition(timezone.now()).sentence)

    @transaction.atomic
    def _make_first_administrator(self) -> None:
        """Shown before it is kept: a start that is killed in between must not leave a password that nobody knows."""
        password = secrets.token_urlsafe(12)
        new = people.NewPerson(user_id="admin", display_name="Administrator", password=password, is_admin=True)
        user = people.create(new, actor="manage.py")
        user.must_change_password = True
        user.save(update_fields=["must_change_password"])
        self.stdout.write(f"First administrator: user ID admin, one-time password {password}")
        self.stdout.write("Write it down now: it is shown once.")
        self.stdout.flush()
