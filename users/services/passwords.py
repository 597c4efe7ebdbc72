"""Whose password is it?  One hash for everybody, known or not; what is not right here the directories are asked."""

import threading
from typing import Final

from users.models import User
from users.services.directory import sign_in as directory_sign_in

at_once: Final = threading.BoundedSemaphore(4)  # each hash takes 100 MB for a moment


def check(user: User, password: str, typed: str) -> User | None:
    """The person with this password: `user`, or whom a directory knows by the typed name.  Raises DirectoryUnavailable.

    Somebody local does not depend on any directory.  For all others the answer and the work are the same.
    """
    with at_once:
        is_right = user.check_password(password)
    return user if is_right else directory_sign_in.proven(user, password, typed)
