"""A simulated device, for an installation that is being tried out: it comes over real HTTPS, as a person of its own."""

import logging
import secrets
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings

from enrollment.services import policy
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Hardware
from enrollment.simulator.identity import Authority
from enrollment.simulator.network import Network
from enrollment.simulator.refusal import DeviceRefused
from epmm import options, settings_store
from epmm.models import Job
from users.models import User
from users.services import people, pins, roles
from users.services.people import NewPerson

logger = logging.getLogger(__name__)
KIND: Final = "enrollment.simulate"
NAME: Final = "simulated"
CONNECTS: Final = 2  # the first answers what the server asks after an enrollment


def is_offered() -> bool:
    """Not in production, whose certificate is of a public authority; nor where another server asks who somebody is."""
    certificate = settings.TLS_CERTIFICATE
    is_ours = certificate is not None and settings.TLS_DIR in certificate.parents
    return is_ours and settings_store.read(options.REQUIREMENT) != "identity_provider"


def begin(*, actor: str) -> None:
    Job.enqueue(KIND, dedupe_key=KIND, actor=actor)


def play(actor: str) -> None:
    """The job.  Where it stops, the enrollment log says why."""
    password = secrets.token_urlsafe(24)
    person = _person(password, actor)
    needs_pin = settings_store.read(options.REQUIREMENT) != "password"
    device = SimulatedDevice(
        person.managed_apple_account or "",
        hardware=Hardware.new(),
        network=Network(trust=settings.TLS_DIR / "ca.pem"),
        maker=Authority.in_folder(settings.DATA_DIR / "lab"),
        ports=_public_port(),
    )
    try:
        device.enroll(password=password, pin=pins.issue(person, actor=actor) if needs_pin else None)
        for _ in range(CONNECTS):
            device.connect()
    except DeviceRefused as refused:
        logger.warning("the simulated device stopped: %s", " ".join(str(refused).split()))
    finally:
        device.close()


def _person(password: str, actor: str) -> User:
    """With whatever role is of use now, and a password that nobody else knows."""
    user = User.objects.filter(user_id=NAME).first()
    if user is None:
        user = people.create(NewPerson(user_id=NAME, display_name="Simulated person"), actor=actor)
    people.set_password(user, password, actor=actor)
    wanted = [policy.ROLE[kind] for kind in policy.offered()]
    account = user.managed_apple_account or f"{NAME}@{urlsplit(settings.PUBLIC_URL).hostname}"
    roles.grant(user, wanted, actor=actor, managed_apple_account=account)
    user.refresh_from_db()
    return user


def _public_port() -> dict[str, int]:
    """Discovery goes to port 443 of the typed domain; our own public host may listen elsewhere."""
    address = urlsplit(settings.PUBLIC_URL)
    return {address.hostname: address.port} if address.hostname and address.port else {}
