"""PINs for many at once: the worker issues them into a sealed file, which whoever asked fetches once.

Torn away, it begins anew: the PINs of before are replaced, and nobody has seen them.
"""

import csv
import io
from collections.abc import Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from epmm import audit
from epmm.models import Job
from epmm.portal.lists import plain
from users.models import PinFile, User
from users.services import pins

KIND: Final = "users.make_pin_file"
KEPT: Final = timedelta(hours=1)
TOLD_EACH: Final = 10
HEADINGS: Final = ("user_id", "name", "email", "pin", "expires")


@transaction.atomic
def ask(people: Iterable[User], owner: User) -> PinFile:
    made = PinFile.objects.create(owner=owner, people=[user.pk for user in people])
    Job.enqueue(KIND, file=made.pk)
    _record("pin.file_asked", made)
    return made


def of(owner: User) -> QuerySet[PinFile]:
    since = timezone.now() - KEPT
    return PinFile.objects.filter(owner=owner, created_at__gt=since).order_by("-created_at").defer("content")


def make(number: int) -> None:
    """The job.  People who have gone, or are disabled, get none."""
    file = PinFile.objects.filter(pk=number, ready_at=None).select_related("owner").first()
    if file is None:
        return
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    for place, user in enumerate(User.objects.enabled().filter(pk__in=file.people).order_by("user_id"), start=1):
        digits = pins.issue(user, actor=file.owner.user_id)
        expires_at = user.registration_pins.standing().get().expires_at
        named = (user.user_id, user.display_name, user.email)
        writer.writerow([*map(plain, named), digits, timezone.localtime(expires_at).isoformat(timespec="minutes")])
        if place % TOLD_EACH == 0:
            PinFile.objects.filter(pk=number).update(done=place)
    PinFile.objects.filter(pk=number).update(
        content=f"\N{BYTE ORDER MARK}{out.getvalue()}".encode(), ready_at=timezone.now(), done=len(file.people)
    )


@transaction.atomic
def fetch(owner: User, uuid: UUID) -> bytes | None:
    """The file, for the first who asks; None when there is nothing any more."""
    ready = PinFile.objects.select_for_update().filter(owner=owner, uuid=uuid, content__isnull=False)
    file = ready.filter(created_at__gt=timezone.now() - KEPT).first()
    if file is None or file.content is None:
        return None
    content = bytes(file.content)
    PinFile.objects.filter(pk=file.pk).update(content=None, fetched_at=timezone.now())
    _record("pin.file_fetched", file)
    return content


def forget() -> None:
    """A periodic job: what nobody has fetched in time goes with the rest."""
    PinFile.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _record(action: str, file: PinFile) -> None:
    details = {"people": len(file.people)}
    audit.record(action, actor=file.owner.user_id, subject_type="pin_file", subject=str(file.uuid), details=details)
