"""What the worker does for enrollments; each handler reaches for its service inside, because services start tasks."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from epmm import jobs

if TYPE_CHECKING:
    from devices.models import Enrollment


@jobs.handles("enrollment.revoke_tokens")
def revoke_tokens(enrollment: int) -> None:
    from devices.models import Enrollment
    from enrollment.services import tokens

    row = Enrollment.objects.filter(pk=enrollment).first()
    if row is not None:
        tokens.revoke_of(row)


@jobs.handles("enrollment.inventories_read")
def inventories_read(enrollments: Sequence[int]) -> None:
    """The last step of a trace: the first DeviceInformation is in the device's record."""
    from devices.models import Enrollment

    failed = []
    for row in Enrollment.objects.filter(pk__in=enrollments):
        try:
            _inventory_read(row)
        except Exception as error:  # noqa: BLE001 - what is wrong with one must not stop the others
            failed.append(error)
    if failed:
        raise ExceptionGroup("what follows from a first inventory", failed)


@jobs.handles("enrollment.inventory_read")
def inventory_read(enrollment: int) -> None:
    """As the release before wrote them: one may wait while the processes are replaced."""
    inventories_read([enrollment])


def _inventory_read(enrollment: "Enrollment") -> None:
    from devices.services import declarative
    from enrollment.models import Step
    from enrollment.services import trace

    attempt = trace.of(enrollment)
    if attempt is not None and not attempt.steps.filter(step=Step.FIRST_INVENTORY).exists():
        trace.step(attempt, Step.FIRST_INVENTORY)
    declarative.switch_on(enrollment)


@jobs.handles("enrollment.tidy", every=timedelta(minutes=5))
def tidy() -> None:
    from enrollment.services import cleanup, invitations, oauth, profile_notice, registration, tokens, trace

    profile_notice.post_due(timezone.now())
    trace.tidy()
    registration.expire_pins()
    invitations.expire(timezone.now())
    cleanup.abandon_unfinished()
    tokens.forget_old()
    oauth.forget_old()


@jobs.handles("enrollment.renew_identities", every=timedelta(hours=1))
def renew_identities() -> None:
    from enrollment.services import renewal

    renewal.renew_where_due()


@jobs.handles("enrollment.invite")
def invite(round: int, invitation: int | None = None) -> None:  # noqa: A002 - as the job's argument is called
    from enrollment.services import invitations

    invitations.work_off(round, invitation)


@jobs.handles("enrollment.simulate")
def simulate(actor: str) -> None:
    from enrollment.services import simulated

    simulated.play(actor)


@jobs.handles("enrollment.remind", every=timedelta(minutes=30))
def remind() -> None:
    from enrollment.services import invitations

    invitations.remind(timezone.now())


@jobs.handles("enrollment.warn_of_expiry", every=timedelta(hours=1))
def warn_of_expiry() -> None:
    from enrollment.services import expiry_notices

    expiry_notices.warn(timezone.now())


@jobs.handles("enrollment.pin_issued")
def pin_issued(pin: int) -> None:
    from enrollment.services import registration

    registration.pin_issued(pin)
