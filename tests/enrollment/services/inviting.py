"""People who are invited by mail, what the worker does about it, and what came."""

from email.message import EmailMessage
from typing import Any, Final

from django.utils import timezone

import enrollment.tasks  # noqa: F401 - the handlers of its jobs
from enrollment.models import Invitation
from enrollment.services import invitation_texts, invitations
from enrollment.services.invitation_texts import Written
from enrollment.services.invitations import Draft
from epmm import jobs, mail_outbox
from epmm.models import Job
from tests import factories
from tests.flows.house import HOST
from users.models import User

WITH_PIN: Final = Written("Welcome", "Hello {display_name}, your PIN is **{pin}**.")


def invited(name: str = "anna", **facts: Any) -> User:
    account = {"managed_apple_account": f"{name}@{HOST}"}
    return factories.user(name, **{"email": f"{name}@example.test", "full_name": name.title(), **account, **facts})


def draft(written: Written | None = None, **changes: Any) -> Draft:
    return Draft(language="en", written=written or invitation_texts.template("invitation", "en"), **changes)


def work() -> None:
    """What the worker does: invite, then hand over."""
    for job in Job.objects.filter(kind=invitations.SEND, done_at=None):
        jobs.run(job.kind, job.arguments)
        Job.objects.filter(pk=job.pk).update(done_at=timezone.now())
    mail_outbox.drain()


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def of(user: User) -> Invitation:
    return user.invitations.latest("pk")
