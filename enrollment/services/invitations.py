"""Invitations: to many at once, by mail, each person once at a time; reminders until the device is there.

The rows are written at once, the worker writes and queues the mails one by one, and whatever it was torn from it does
next time: a mail and what it says of its invitation are one transaction.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device, Enrollment
from enrollment.models import Invitation, InvitationRound, InvitationTemplate
from enrollment.services import invitation_texts, registration
from enrollment.services.invitation_texts import TextRefused, Written
from enrollment.services.registration import Announced
from epmm import audit, mail, options, settings_store
from epmm.mail import MailRefused
from epmm.models import Job, Mail
from users.models import RegistrationPin, User
from users.services import pins
from users.services.people_actions import Order, PersonAction

SEND: Final = "enrollment.invite"
REMINDED_AT_ONCE: Final = 500
LOOK_AGAIN: Final = timedelta(hours=6)  # after a mail that still waits for its server
PATH: Final = "/i/"
Kind = InvitationTemplate.Kind


class Uninvited(Exception):
    """This person gets nothing; the argument says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What was chosen in the dialog."""

    language: str
    written: Written
    has_pin: bool = False
    remind_after_days: int | None = None
    reminders: int = 0


def checked(draft: Draft) -> Draft:
    """Raises TextRefused."""
    written = invitation_texts.checked(draft.written)
    if draft.has_pin and not written.asks_for_pin:
        raise TextRefused(_("The text does not say {pin} anywhere."))
    if written.asks_for_pin and not draft.has_pin:
        raise TextRefused(_("The text says {pin}: choose to send PINs by mail, or take it out."))
    return replace(draft, written=written, reminders=draft.reminders if draft.remind_after_days else 0)


def send(people: Sequence[User], draft: Draft, *, actor: str) -> InvitationRound:
    """Whoever was invited before is invited anew.  Raises TextRefused or MailRefused; then nobody is."""
    with transaction.atomic():
        made = prepare(draft, number=len(people), actor=actor)
        _begin(people, made)
    return made


def send_announced(expected: Sequence[tuple[User, Announced]], draft: Draft, *, actor: str) -> InvitationRound:
    """The same to whose devices are expected: one invitation tells what is known of the device, and goes by mail."""
    with transaction.atomic():
        made = prepare(draft, number=len(expected), actor=actor)
        for user, announced in expected:
            announce(user, announced, actor=actor, made=made)
        Job.enqueue(SEND, round=made.pk)
    return made


def reminding(draft: Draft, user: User) -> Draft:
    """As the invitation that stands does, which this one takes the place of."""
    standing = Invitation.objects.filter(user=user, end="").select_related("round").first()
    if standing is None or standing.round is None:
        return draft
    return replace(draft, remind_after_days=standing.round.remind_after_days, reminders=standing.round.reminders)


@transaction.atomic(savepoint=False)
def prepare(draft: Draft, *, number: int, actor: str) -> InvitationRound:
    """A round in which nobody is yet.  Raises TextRefused or MailRefused."""
    draft = checked(draft)
    if not mail.is_set_up():
        raise MailRefused(_("No mail server is set up. Enter one under Settings > Outgoing mail."))
    made = InvitationRound.objects.create(
        language=draft.language,
        subject=draft.written.subject,
        text=draft.written.text,
        has_pin=draft.has_pin,
        remind_after_days=draft.remind_after_days,
        reminders=draft.reminders,
        created_by=actor,
    )
    audit.record(
        "invitation.round",
        actor=actor,
        subject_type="invitation",
        subject=str(made.pk),
        details={"people": number, "language": draft.language, "with_pin": draft.has_pin},
    )
    return made


def _invite(user: User, order: Order) -> str:
    """One of more than a request has time for; the mail is a job of its own."""
    made = InvitationRound.objects.get(pk=order.values["round"])
    (invitation,) = _replace([user], made)
    Job.enqueue(SEND, round=made.pk, invitation=invitation.pk)
    return _("Invited")


INVITE: Final = PersonAction(key="invite", label=gettext_lazy("Send Invitation"), do=_invite)


def again(invitation: Invitation, *, actor: str) -> None:
    """The same once more, with a new PIN where there was one.  Raises Uninvited."""
    if invitation.round is None:
        raise Uninvited(_("Nothing was sent to this person. Choose Send Invitation on the page of users."))
    if invitation.end == Invitation.End.ENROLLED:
        raise Uninvited(_("This person has enrolled a device."))
    with transaction.atomic():
        _begin([invitation.user], invitation.round, owner=invitation.owner)
        _record("invitation.again", invitation, actor)


def announce(user: User, announced: Announced, *, actor: str, made: InvitationRound | None = None) -> Invitation:
    """A device that is expected, of a person whom this round tells, or somebody; part of the caller's transaction."""
    _end(Invitation.objects.filter(user=user, end=""), Invitation.End.REPLACED)
    device = registration.await_device(user, announced=announced)
    invitation = Invitation.objects.create(
        user=user, device=device, owner=announced.owner, round=made, token=_token(), expires_at=_expiry()
    )
    _record("device.announced", invitation, actor)
    return invitation


def _begin(people: Iterable[User], made: InvitationRound, *, owner: str = "") -> None:
    _replace(list(people), made, owner=owner)
    Job.enqueue(SEND, round=made.pk)


def _replace(people: Sequence[User], made: InvitationRound, *, owner: str = "") -> list[Invitation]:
    """What was sent before counts no more."""
    standing = Invitation.objects.filter(user__in=people, end="")
    owners: dict[int, str] = dict(standing.exclude(owner="").values_list("user_id", "owner"))
    _end(standing, Invitation.End.REPLACED)
    expires_at = _expiry()
    return Invitation.objects.bulk_create(
        Invitation(user=user, round=made, token=_token(), expires_at=expires_at, owner=owner or owners.get(user.pk, ""))
        for user in people
    )


def work_off(number: int, invitation: int | None = None) -> None:
    """The job: whoever of this round has got nothing yet, or this one alone."""
    waiting = Invitation.objects.filter(round=number, end="", mail=None, problem="").order_by("pk")
    waiting = waiting if invitation is None else waiting.filter(pk=invitation)
    for key in list(waiting.values_list("pk", flat=True)):
        _write(key, Kind.INVITATION)


def remind(now: datetime) -> None:
    """Whoever has not enrolled, some days after the last mail has gone; a periodic job."""
    due = Invitation.objects.filter(end="", remind_at__lte=now).order_by("remind_at")
    for invitation in due.select_related("mail")[:REMINDED_AT_ONCE]:
        state = invitation.mail.state if invitation.mail else Mail.State.SENT
        row = Invitation.objects.filter(pk=invitation.pk, remind_at=invitation.remind_at)
        if state == Mail.State.SENT:
            _write(invitation.pk, Kind.REMINDER)
        elif state == Mail.State.QUEUED:
            row.update(remind_at=now + LOOK_AGAIN)
        else:
            row.update(remind_at=None)


def _write(key: int, kind: Kind) -> None:
    """One mail, its PIN, and the record that waits.  Hashing a PIN is slow, so it is drawn before."""
    invitation = Invitation.objects.select_related("user", "round").get(pk=key)
    written = _written(invitation, kind)
    new = pins.NewPin.draw() if written is not None and written.asks_for_pin else None
    try:
        with transaction.atomic():
            user = User.objects.select_for_update().get(pk=invitation.user_id)
            row = Invitation.objects.select_for_update().get(pk=key)
            if written is None or row.end or (row.mail_id, row.reminded) != (invitation.mail_id, invitation.reminded):
                return
            row.user, row.round = user, invitation.round  # nobody changes a round
            _post(row, user, written, new)
    except (Uninvited, MailRefused) as error:
        Invitation.objects.filter(pk=key).update(problem=str(error)[:300], remind_at=None)


def _written(invitation: Invitation, kind: Kind) -> Written | None:
    made = invitation.round
    if made is None:
        return None
    if kind == Kind.REMINDER:
        return invitation_texts.template(kind, made.language, has_pin=made.has_pin)
    return Written(made.subject, made.text)


def _post(row: Invitation, user: User, written: Written, new: pins.NewPin | None) -> None:
    made = row.round
    if made is None or not user.is_active:
        raise Uninvited(_("This account is disabled."))
    if not user.email:
        raise Uninvited(_("This person has no email address."))
    is_reminder = row.mail_id is not None
    pin = pins.store(user, new, actor=made.created_by) if new is not None and made.has_pin else None
    device = registration.await_device(user, pin or _standing(user))
    address = help_address(row)
    with translation.override(made.language):
        known = invitation_texts.values(user, address, pin=new.digits if new is not None else "")
    letter = invitation_texts.letter(user, invitation_texts.fill(written, known), address, made.language)
    row.mail, row.device, row.problem = mail.post(letter, kind="invitation"), device, ""
    row.reminded += is_reminder
    row.remind_at = None
    if made.remind_after_days and row.reminded < made.reminders:
        row.remind_at = timezone.now() + timedelta(days=made.remind_after_days)
    row.save()
    _record("invitation.reminded" if is_reminder else "invitation.sent", row, made.created_by)


def _standing(user: User) -> RegistrationPin | None:
    """A PIN that somebody handed out already stays with the record."""
    return user.registration_pins.standing().filter(used_at=None, expires_at__gt=timezone.now()).first()


def enrolled(user: User) -> str:
    """Its device is there: nobody is reminded any more.  Whose it was said to be, where it was."""
    standing = Invitation.objects.filter(user=user, end="").first()  # there is no other: `invited_once`
    if standing is None:
        return ""
    _end(Invitation.objects.filter(pk=standing.pk, end=""), Invitation.End.ENROLLED)
    return standing.owner


def owner_for(user: User, kind: str) -> str:
    """What an administrator said whose device it will be; one of a user enrollment is the employee's."""
    if kind == Enrollment.Kind.AAUE:
        return ""
    standing = Invitation.objects.filter(user=user, end="").exclude(owner="")
    return standing.values_list("owner", flat=True).first() or ""


def stop(invitation: Invitation, *, actor: str) -> bool:
    """No more reminders; what waits to be sent is not sent, and a PIN that was sent serves no more."""
    with transaction.atomic():
        if not _end(Invitation.objects.filter(pk=invitation.pk, end=""), Invitation.End.STOPPED):
            return False
        device = invitation.device
        if device is not None and device.pin is not None:
            pins.revoke(device.pin, actor=actor)
        _let_expire(Device.objects.filter(invitations=invitation))
        _record("invitation.stopped", invitation, actor)
    return True


def expire(now: datetime) -> None:
    """A periodic job.  A PIN of its own may still be good: its record goes with it."""
    over = Invitation.objects.filter(end="", expires_at__lte=now)
    with transaction.atomic():
        keys = list(over.values_list("pk", flat=True)[:REMINDED_AT_ONCE])
        _end(Invitation.objects.filter(pk__in=keys, end=""), Invitation.End.EXPIRED)
        _let_expire(Device.objects.filter(invitations__in=keys, pin=None))


def opened(token: str, now: datetime) -> User | None:
    """Whose address it is; the first time is kept."""
    invitation = Invitation.objects.filter(token=token, user__is_active=True).select_related("user").first()
    if invitation is None:
        return None
    if invitation.opened_at is None:
        Invitation.objects.filter(pk=invitation.pk, opened_at=None).update(opened_at=now)
    return invitation.user


def help_address(invitation: Invitation) -> str:
    return f"{settings.PUBLIC_URL}{PATH}{invitation.token}"


def _end(open_ones: QuerySet[Invitation], end: Invitation.End) -> int:
    """And what still waits for the mail server goes no more."""
    mail.stop_all(list(open_ones.exclude(mail=None).values_list("mail", flat=True)))
    return open_ones.update(end=end, ended_at=timezone.now(), remind_at=None)


def _let_expire(devices: QuerySet[Device]) -> None:
    waiting = Q(status=Device.Status.VERIFICATION_PENDING)
    keys = list(devices.filter(waiting).values_list("pk", flat=True))
    Device.objects.filter(waiting, pk__in=keys).update(status=Device.Status.EXPIRED, modified_at=timezone.now())


def _token() -> str:
    return secrets.token_urlsafe(16)


def _expiry() -> datetime:
    return timezone.now() + timedelta(days=settings_store.read(options.INVITATION_DAYS))


def _record(action: str, invitation: Invitation, actor: str) -> None:
    audit.record(action, actor=actor, subject_type="user", subject=invitation.user.user_id)
