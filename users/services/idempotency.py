"""A call that is sent again is carried out once, and answered as the first time.

See draft-ietf-httpapi-idempotency-key-header.  The answer is kept in the transaction of what the call did: whatever
dies, both are there, or neither is.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from epmm import advisory
from users.errors import CallUnderWay, KeyOfAnotherCall
from users.models import IdempotentCall, User

T = TypeVar("T")
KEPT: Final = timedelta(hours=24)
LONGEST: Final = 255
_under_way: Final[set[tuple[int, str]]] = set()
_lock: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    user: User
    key: str
    sha256: bytes  # of all that says what is asked for

    @classmethod
    def of(cls, user: User, key: str, *asked: bytes) -> "Call":
        digest = hashlib.sha256()
        for part in asked:
            digest.update(len(part).to_bytes(8, "big") + part)
        return cls(user=user, key=key, sha256=digest.digest())


def once(call: Call, prepare: Callable[[], T], work: Callable[[T], Answer]) -> Answer:
    """`prepare` is what takes long and leaves nothing behind.  Raises CallUnderWay, KeyOfAnotherCall.

    Not inside a transaction.  What `work` raises leaves nothing, and may be tried again with the same key.
    """
    with _alone(call):
        if kept := _kept(call):
            return kept
        prepared = prepare()
        with transaction.atomic():
            # on SQLite who comes second has waited for the first, and finds what it has kept
            if not advisory.try_to_hold(f"idempotency/{call.user.pk}/{call.key}"):
                raise CallUnderWay
            if kept := _kept(call):
                return kept
            IdempotentCall.objects.filter(user=call.user, key=call.key).delete()
            answer = work(prepared)
            told = {"body": answer.body, "headers": answer.headers}
            IdempotentCall.objects.create(
                user=call.user,
                key=call.key,
                request_sha256=call.sha256,
                status=answer.status,
                answer=json.dumps(told, cls=DjangoJSONEncoder).encode(),
            )
        return answer


def forget() -> None:
    IdempotentCall.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


@contextmanager
def _alone(call: Call) -> Iterator[None]:
    """In this process; the transaction is for the others."""
    name = (call.user.pk, call.key)
    with _lock:
        if name in _under_way:
            raise CallUnderWay
        _under_way.add(name)
    try:
        yield
    finally:
        with _lock:
            _under_way.discard(name)


def _kept(call: Call) -> Answer | None:
    since = timezone.now() - KEPT
    found = IdempotentCall.objects.filter(user=call.user, key=call.key, created_at__gt=since).first()
    if found is None:
        return None
    if bytes(found.request_sha256) != call.sha256:
        raise KeyOfAnotherCall
    told = json.loads(bytes(found.answer))
    return Answer(found.status, told["body"], told["headers"], is_kept=True)
