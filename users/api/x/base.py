"""What our own API is made of: JSON with types, problem details, cursors, keys of calls, states of rows.

A resource says what it takes, what it tells and which service does it; the rest is here, and `users/api/document.py`
reads the same words for the OpenAPI document.  What it has to say by itself raises NotImplementedError here; a test
makes every call of the document, so that none can be forgotten.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any, ClassVar, Final, Generic, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from epmm.api import cursors, etags, problems
from epmm.api.errors import ApiError, Problem, tells
from epmm.api.fields import Asked, Cursor, Given, Json, Told, read
from epmm.api.parameters import Parameters, read_body, whole
from epmm.portal import keyset
from epmm.portal.keyset import Order, Page
from users import errors, permissions
from users.api import throttling
from users.api.base import ApiView
from users.api.permissions import SPACE
from users.services import idempotency
from users.services.idempotency import Answer, Call

M = TypeVar("M", bound=Model)
R = TypeVar("R")
KEY: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
_KEY: Final = re.compile(r'"([\x20-\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')  # RFC 8941, 3.3.3, or bare

tells(errors.CallUnderWay, 409, "call.under.way")
tells(errors.KeyOfAnotherCall, 422, "key.of.another.call")


class XView(ApiView):
    """`takes` and `tells` by method: the serializers of what is sent and answered; `asks` are the parameters."""

    takes: ClassVar[Mapping[str, type[Given]]] = {}
    tells: ClassVar[Mapping[str, type[Told] | Json | None]] = {}  # or a schema, where the answer is made elsewhere
    asks: ClassVar[type[Asked]] = Asked
    asking: ClassVar[frozenset[str]] = frozenset({"GET"})  # methods that have these; the others have none
    status: ClassVar[Mapping[str, int]] = {}
    media: ClassVar[Mapping[str, Any]] = {}  # of what GET answers, each with an example, where no serializer has one
    keyed: ClassVar[frozenset[str]] = frozenset()  # methods that take an Idempotency-Key
    matched: ClassVar[frozenset[str]] = frozenset()  # that need an If-Match
    tagged: ClassVar[frozenset[str]] = frozenset()  # whose answers have an ETag
    fails: ClassVar[Mapping[str, Sequence[int]]] = {}  # with which statuses besides those of all
    says: ClassVar[Mapping[str, str | Promise]] = {}  # what a call does, in the document

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.asked  # noqa: B018 - whatever is wrong in the address is told before anything is done

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        if caller := self.known_caller:
            for name, value in throttling.headers(caller).items():
                response.headers[name] = value
        return response

    def tell(self, problem: Problem) -> Response:
        return Response(problems.body(problem), status=problems.status_of(problem), content_type=problems.MEDIA_TYPE)

    @cached_property
    def asked(self) -> Mapping[str, Any]:
        """The parameters, read.  Raises ApiError."""
        query = self.request._request.GET
        if SPACE in query and whole(query[SPACE]) is None:
            raise problems.invalid_parameters({SPACE: [serializers.IntegerField.default_error_messages["invalid"]]})
        given = {name: query[name] for name in query if name != SPACE}
        found = read(self.asks if self.method in self.asking else Asked, given)
        if not found.is_valid():
            raise problems.invalid_parameters(found.errors)
        return dict(found.validated_data)

    @cached_property
    def given(self) -> Mapping[str, Any]:
        """The body, read.  Raises ApiError."""
        http = self.request._request
        body = read_body(http.body, "")
        http.parameters = Parameters(http.GET, body)  # type: ignore[attr-defined] # for the audit log
        found = read(self.takes.get(self.method, Given), body)
        if not found.is_valid():
            raise problems.invalid_fields(found.errors)
        return dict(found.validated_data)

    def shown(self, row: Any) -> Any:
        kind = self.tells[self.method]
        return kind(row, context={"view": self}).data if isinstance(kind, type) else row

    @property
    def method(self) -> str:
        return "GET" if self.request.method == "HEAD" else str(self.request.method)

    @property
    def roles(self) -> frozenset[str]:
        """The caller's, in the space that is asked for."""
        return permissions.roles_of(self.request._request)

    def answer(self, row: Any, *, location: str = "") -> Answer:
        status = self.status.get(self.method, HTTPStatus.OK)
        headers = {"Location": location} if location else {}
        if self.method in self.tagged:
            headers["ETag"] = etags.of(self.state(row))
        return Answer(int(status), self.shown(row), headers)

    def state(self, row: Any) -> Sequence[Any]:
        """What of a row can be changed."""
        raise NotImplementedError

    def matches(self, row: Any) -> None:
        """Raises ApiError unless the caller has seen this state of it."""
        etags.check(self.request.headers.get("If-Match"), etags.of(self.state(row)))


class Listed(XView, Generic[M]):
    """GET: pages of rows."""

    asks = Cursor
    orders: ClassVar[Mapping[str, Order]] = {}  # by the name in `sort`; the first is that of who names none
    item: ClassVar[type[Told]]

    def rows(self) -> QuerySet[M]:
        raise NotImplementedError

    def read(self, rows: QuerySet[M], order: Order, *, size: int, after: str) -> Page[M]:
        return keyset.page(rows, order, size=size, after=after)

    def told(self, rows: Sequence[M]) -> Sequence[Any]:
        """What is asked once for all of a page."""
        return rows

    def get(self, request: Request, **_place: Any) -> HttpResponseBase:
        rows, following = self.page(request)
        items = self.item(self.told(rows), many=True, context={"view": self}).data
        return Response({"items": items, "next": following}, headers=cursors.link(following))

    def page(self, request: Request) -> tuple[list[M], str | None]:
        """And the address of the next."""
        asked = dict(self.asked)
        limit, cursor = asked.pop("limit"), asked.pop("cursor", "")
        name = asked.get("sort") or next(iter(self.orders))
        order = self.orders[name.removeprefix("-")]
        order = order.reversed() if name.startswith("-") else order
        given = {name: value for name, value in request.query_params.items() if name != cursors.CURSOR}
        return cursors.page(
            self.rows(),
            order,
            limit=limit,
            cursor=cursor,
            place=lambda at: cursors.address(request.path, given, at),
            read=self.read,
        )


class All(XView):
    """GET: everything there is of something short."""

    item: ClassVar[type[Told]]

    def items(self) -> Sequence[Any]:
        raise NotImplementedError

    def get(self, _request: Request, **_place: Any) -> Response:
        return Response({"items": self.item(self.items(), many=True, context={"view": self}).data})


class Done(XView):
    """POST: something is made, queued or done; once, where the call has a key.

    `prepare` runs before the transaction, for what takes long and leaves nothing behind.
    """

    keyed = frozenset({"POST"})

    def prepare(self) -> Any:
        return None

    def perform(self, prepared: Any) -> Answer:
        """Inside a transaction."""
        raise NotImplementedError

    def post(self, _request: Request, **_place: Any) -> Response:
        self.given  # noqa: B018 - read before the key is looked at
        key = self._key()
        if key is None:
            prepared = self.prepare()
            with transaction.atomic():
                answer = self.perform(prepared)
        else:
            http = self.request._request
            asked = (http.method or "", http.get_full_path())
            call = Call.of(self.person, key, *(part.encode() for part in asked), http.body)
            answer = idempotency.once(call, self.prepare, self.perform)
        replayed = {REPLAYED: "true"} if answer.is_kept else {}
        return Response(answer.body, status=answer.status, headers=answer.headers | replayed)

    def _key(self) -> str | None:
        header = self.request.headers.get(KEY)
        if header is None:
            return None
        found = _KEY.fullmatch(header.strip())
        if found is None:
            raise ApiError(400, "key.invalid", _("An Idempotency-Key has 1 to 255 characters of ASCII."))
        return found[1] or found[2]


class One(XView, Generic[R]):
    """GET: one row.  See `Patched` and `Deleted`; `edit` and `remove` see it locked."""

    def row(self, *, locked: bool, **place: Any) -> R:
        """Raises Http404."""
        raise NotImplementedError

    def get(self, _request: Request, **place: Any) -> Response:
        return self._told(self.answer(self.row(locked=False, **place)))

    def changed(self, **place: Any) -> Response:
        """What PATCH and PUT do."""
        self.given  # noqa: B018 - what cannot be read changes nothing
        with transaction.atomic():
            row = self.row(locked=True, **place)
            self.matches(row)
            self.edit(row)
            answer = self.answer(self.row(locked=False, **place))
        return self._told(answer)

    def removed(self, **place: Any) -> Response:
        with transaction.atomic():
            row = self.row(locked=True, **place)
            if "DELETE" in self.matched:
                self.matches(row)
            self.remove(row)
        return Response(status=HTTPStatus.NO_CONTENT)

    def edit(self, row: R) -> None:
        raise NotImplementedError

    def remove(self, row: R) -> None:
        raise NotImplementedError

    @staticmethod
    def _told(answer: Answer) -> Response:
        return Response(answer.body, status=answer.status, headers=answer.headers)


class Patched(One[R]):
    def patch(self, _request: Request, **place: Any) -> Response:
        return self.changed(**place)


class Deleted(One[R]):
    def delete(self, _request: Request, **place: Any) -> Response:
        return self.removed(**place)


class XUnknown(XView):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        ApiView.initial(self, request, *args, **kwargs)
        raise Http404


def found(rows: QuerySet[M], *, locked: bool, **place: Any) -> M:
    """Raises Http404."""
    if locked:
        rows = rows.select_for_update(of=("self",))
    row = rows.filter(**place).first()
    if row is None:
        raise Http404
    return row
