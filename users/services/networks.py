"""Where people sign in from.  A network that anybody of ours came from is known for all names alike, those that nobody
has among them: so it tells no stranger who exists."""

from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from epmm import limit_options, settings_store
from epmm.client_address import UNKNOWN, network
from users.models import KnownNetwork, User

RENEWED_AFTER: Final = timedelta(days=1)  # a row a day for a row a sign-in


def is_known(address: str | None) -> bool:
    return KnownNetwork.objects.filter(network=network(address), last_at__gt=_since(timezone.now())).exists()


def note(user: User, address: str | None) -> None:
    """This person has signed in from there."""
    now, here = timezone.now(), network(address)
    if here == UNKNOWN or KnownNetwork.objects.filter(network=here, last_at__gt=now - RENEWED_AFTER).exists():
        return
    KnownNetwork.objects.update_or_create(network=here, defaults={"user": user, "last_at": now})
    newest_first = KnownNetwork.objects.filter(user=user).order_by("-last_at", "-pk").values_list("pk", flat=True)
    kept = newest_first[: settings_store.read(limit_options.KNOWN_NETWORKS)]  # nobody vouches for all the world
    KnownNetwork.objects.filter(user=user).exclude(pk__in=list(kept)).delete()


def forget(now: datetime) -> None:
    KnownNetwork.objects.filter(last_at__lt=_since(now)).delete()


def _since(now: datetime) -> datetime:
    return now - timedelta(days=settings_store.read(limit_options.KNOWN_NETWORK_DAYS))
