"""A list counts what belongs to its rows no further than it says."""

import pytest
from django.db.models import OuterRef
from pytest_django import DjangoAssertNumQueries

from devices.models import Device
from epmm.portal import counting
from users.models import User

pytestmark = pytest.mark.django_db


def test_what_belongs_to_each_row_is_counted_up_to_the_cap(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(counting, "COUNT_CAP", 2)
    for number in (0, 1, 2, 5):
        user = User.objects.create(user_id=f"has {number}")
        for each in range(number):
            Device.objects.create(user=user, udid=f"{number} {each}", status=Device.Status.ACTIVE)
    theirs = counting.CountedTo(Device.objects.filter(user=OuterRef("pk")))

    with django_assert_num_queries(1):
        found = dict(User.objects.annotate(number=theirs).order_by("pk").values_list("user_id", "number"))

    assert found == {"has 0": 0, "has 1": 1, "has 2": 2, "has 5": 3}
