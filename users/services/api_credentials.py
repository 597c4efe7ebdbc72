"""Who calls the API with a password: checked once a minute, for Argon2 at each call would be most of its cost."""

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from django.db.models import Exists
from django.utils import timezone

from epmm import options
from epmm.client_address import network
from epmm.rate_limit import Buckets
from users.errors import PasswordMustChange, SecondFactorNeeded, TooManyAttempts, WrongCredentials
from users.models import User
from users.services import lock_out, people, second_factor
from users.services import sign_in as credentials
from users.services.sign_in import Requirement

SECONDS: Final = 60.0
MOST: Final = 10_000
RETRY_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class _Remembered:
    user: int
    hashed: str  # of the password then: another one, and this is nothing
    until: float


class _Memory:
    """What was proven, in this process, by a key that only this process knows."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._found: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._under_way: WeakValueDictionary[bytes, threading.Lock] = WeakValueDictionary()
        self._lock = threading.Lock()

    def name(self, typed: str, password: str, address: str | None) -> bytes:
        parts = (typed.strip().lower(), password, network(address))
        told = b"\0".join(part.encode(errors="backslashreplace") for part in parts)
        return hmac.digest(self._key, told, "sha256")

    def get(self, name: bytes) -> _Remembered | None:
        with self._lock:
            found = self._found.get(name)
            return found if found is not None and time.monotonic() < found.until else None

    def keep(self, name: bytes, user: User) -> None:
        with self._lock:
            self._found[name] = _Remembered(user.pk, user.password, time.monotonic() + SECONDS)
            self._found.move_to_end(name)
            while len(self._found) > MOST:
                self._found.popitem(last=False)

    def forget(self, name: bytes | None = None) -> None:
        with self._lock:
            if name is None:
                self._found.clear()
            else:
                self._found.pop(name, None)

    @contextmanager
    def alone(self, name: bytes) -> Iterator[None]:
        """A script that begins with many calls at once has its password checked once, and counts as one attempt."""
        with self._lock:
            lock = self._under_way.setdefault(name, threading.Lock())
        with lock:
            yield


_memory: Final = _Memory()
# Each check takes 100 MB for a moment, and directories are asked: so many of one address, however often it calls.
_checks: Final = Buckets(per_second=2.0, burst=60.0)


def proven(typed: str, password: str, address: str | None) -> User:
    """The person, as stored now.  Raises SignInRefused.  Not inside a transaction."""
    name = _memory.name(typed, password, address)
    user = _remembered(name, typed, address) or _checked(name, typed, password, address)
    if people.password_is_over(user, timezone.now()):
        raise PasswordMustChange
    if user.has_second_factor:  # type: ignore[attr-defined] # by `second_factor.told`
        raise SecondFactorNeeded
    return user


def admit(address: str | None) -> None:
    """Before something is looked up that may be a guess.  Raises TooManyAttempts."""
    if not _checks.admit(network(address), time.monotonic()):
        raise TooManyAttempts(RETRY_SECONDS)


def forget() -> None:
    """Begin anew, as a fresh process does."""
    _memory.forget()
    _checks.forget()


def _remembered(name: bytes, typed: str, address: str | None) -> User | None:
    """What has changed since then is read: the password, whether the person may sign in, and the lock-out."""
    known = _memory.get(name)
    if known is None:
        return None
    user = _stored(known.user, typed, address)
    if user is None or user.password != known.hashed or not credentials.may_sign_in(user) or user.is_locked:  # type: ignore[attr-defined] # annotated
        _memory.forget(name)
        return None
    return user


def _checked(name: bytes, typed: str, password: str, address: str | None) -> User:
    with _memory.alone(name):
        if user := _remembered(name, typed, address):
            return user
        admit(address)
        found = credentials.verify(
            typed,
            password=password,
            pin="",
            requirement=Requirement.PASSWORD,
            address=address,
            used_for="",
            domains=options.enrollment_domains(),
        )
        user = _stored(found.user.pk, typed, address)
        if user is None:
            raise WrongCredentials
        _memory.keep(name, user)
        return user


def _stored(key: int, typed: str, address: str | None) -> User | None:
    """With `has_second_factor` and `is_locked`, by one statement: each call waits for it."""
    locks = lock_out.locks(people.without_own_domain(typed, options.enrollment_domains()), address)
    return second_factor.told(User.objects.filter(pk=key)).annotate(is_locked=Exists(locks)).first()
