"""Pages without offsets, forwards and back, with rows that have no value."""

import itertools
from datetime import timedelta

import pytest
from django.test import RequestFactory
from django.utils import timezone

from epmm.portal import keyset
from epmm.portal.keyset import Order
from epmm.portal.lists import Column, Listing
from users.models import User

pytestmark = pytest.mark.django_db

ACCOUNTS = ["b@x.test", None, "a@x.test", None, "c@x.test", "d@x.test", None]


@pytest.fixture(autouse=True)
def people() -> None:
    User.objects.bulk_create(
        User(user_id=f"u{number}", managed_apple_account=account) for number, account in enumerate(ACCOUNTS)
    )


@pytest.mark.parametrize(
    "order",
    [
        *(
            Order(*how)
            for how in itertools.product(["managed_apple_account"], [False, True], ["", "source", "user_id"])
        ),
        Order("user_id"),
        Order("source", True, "user_id"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10])
def test_each_row_comes_once_and_going_back_shows_the_same_pages(order: Order, size: int) -> None:
    pages, after = [], ""
    while True:
        page = keyset.page(User.objects.all(), order, size=size, after=after)
        pages.append(page)
        if not (after := page.after):
            break
    seen = [row.user_id for page in pages for row in page.rows]

    assert sorted(seen) == sorted(f"u{number}" for number in range(len(ACCOUNTS)))
    values = [row.managed_apple_account for page in pages for row in page.rows]
    if order.column == "managed_apple_account":
        assert values == sorted(filter(None, values), reverse=order.is_descending) + [None] * 3
    for previous, page in itertools.pairwise(pages):
        back = keyset.page(User.objects.all(), order, size=size, before=page.before)
        assert back.rows == previous.rows
        assert (back.after, back.before) == (previous.after, previous.before)


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("column", ["last_login", "created_at", "pk"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10])
def test_parts_with_an_index_each_make_the_pages_of_the_whole(column: str, size: int, is_descending: bool) -> None:  # noqa: FBT001
    now = timezone.now()
    for number, user in enumerate(User.objects.order_by("pk")):
        User.objects.filter(pk=user.pk).update(last_login=[None, now, now - timedelta(days=number)][number % 3])
    whole, order = User.objects.all(), Order(column, is_descending)
    parts = [whole.filter(user_id__in=("u1", "u2", "u6")), whole.exclude(user_id__in=("u1", "u2", "u6"))]

    def same(**place: str) -> keyset.Page[User]:
        wanted = keyset.page(whole, order, size=size, **place)
        assert keyset.merged(parts, order, size=size, **place) == wanted
        return wanted

    page = same()
    while page.after:
        page = same(after=page.after)
        same(before=page.before)


@pytest.mark.parametrize(
    "cursor", ["x", "WzFd", "bnVsbA", "W251bGwsICJhIl0", "W251bGwsIDFlMzBd", "=" * 10, "é", "WyJcdWQ4MDAiLDFd"]
)
def test_a_cursor_that_is_none_begins_anew(cursor: str) -> None:
    page = keyset.page(User.objects.all(), Order("user_id"), size=2, after=cursor)

    assert [row.user_id for row in page.rows] == ["u0", "u1"]


def test_the_longest_of_names_is_a_place() -> None:
    User.objects.update(full_name="\N{GRINNING FACE}" * 255)
    order = Order("full_name", then="user_id")
    first = keyset.page(User.objects.all(), order, size=1)

    assert keyset.page(User.objects.all(), order, size=1, after=first.after).rows != first.rows


def test_a_spreadsheet_gets_no_formula() -> None:
    User.objects.create(user_id="u9", full_name="=1+1")
    listing = Listing[User](
        name="people",
        title="People",
        columns=[Column(key="id", label="ID", value=lambda user: user.display_name, order="user_id")],
        sorted_by="-id",
    )
    request = RequestFactory().get("/people")
    request.user = User.objects.get(user_id="u9")
    view = listing.view(request, User.objects.all())

    lines = b"".join(view.csv()).decode("utf-8-sig").splitlines()
    assert lines[:2] == ["ID", "'=1+1"]
    assert len(lines) == 1 + len(ACCOUNTS) + 1
