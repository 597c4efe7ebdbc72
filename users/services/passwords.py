"""Whose password is it?  One hash for everybody, known or not; what is not right here the directories are asked."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from users.errors import TooManyAttempts
from users.models import User
from users.services.directory import sign_in as directory_sign_in

at_once: Final = threading.BoundedSemaphore(4)  # each hash takes 100 MB for a moment
_of_strangers: Final = threading.BoundedSemaphore(3)  # whoever is known finds one that is free
_in_line: Final = threading.BoundedSemaphore(8)  # strangers, who would else take all threads to wait in
BUSY_SECONDS: Final = 5


@contextmanager
def turn(*, of_stranger: bool) -> Iterator[None]:
    """To hash something.  Raises TooManyAttempts for a stranger when too many of them wait already."""
    with ExitStack() as stack:
        if of_stranger:
            if not _in_line.acquire(blocking=False):
                raise TooManyAttempts(BUSY_SECONDS, limit="busy")
            stack.callback(_in_line.release)
            stack.enter_context(_of_strangers)
        stack.enter_context(at_once)
        yield


def check(user: User, password: str, typed: str, *, of_stranger: bool = False) -> User | None:
    """The person with this password: `user`, or whom a directory knows by the typed name.

    Raises DirectoryUnavailable, and what `turn` raises.  Somebody local does not depend on any directory.  For all
    others the answer and the work are the same.
    """
    with turn(of_stranger=of_stranger):
        is_right = user.check_password(password)
    return user if is_right else directory_sign_in.proven(user, password, typed)
