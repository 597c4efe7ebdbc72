"""A row that is taken as the database returned it is the row that Django makes."""

import pytest
from django.db import models
from django.db.models.signals import post_init, pre_init
from pytest_django import DjangoAssertNumQueries

from devices.models import Channel, Device, Enrollment
from epmm.loaded import Loaded
from users.models import User


@pytest.fixture
def device(db: None) -> Device:
    return Device.objects.create(user=User.objects.create(user_id="anna"), device_name="Anna's", details={"a": [1]})


def test_all_columns_and_a_state_are_as_django_makes_them(device: Device) -> None:
    row = Device.objects.get()
    values = [getattr(row, field.attname) for field in Device._meta.concrete_fields]
    names = [field.attname for field in Device._meta.concrete_fields]

    made = super(Loaded, Device).from_db("default", names, values)

    assert vars(row).keys() == vars(made).keys()
    for each in (row, made):
        assert (each._state.adding, each._state.db) == (False, "default")
    assert row == device
    assert (row.device_name, row.details) == ("Anna's", {"a": [1]})


def test_what_was_left_out_is_read_when_it_is_asked_for(
    device: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    row = Device.objects.only("udid").get()
    assert row.get_deferred_fields() >= {"device_name", "details", "user_id"}

    with django_assert_num_queries(1):
        assert row.device_name == device.device_name


def test_a_row_is_saved_as_one_that_is_there(device: Device) -> None:
    row = Device.objects.get()
    row.device_name = "Bob's"
    row.save()

    assert list(Device.objects.values_list("device_name")) == [("Bob's",)]


def test_relations_read_along_need_no_statement(
    device: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    enrollment = Enrollment.objects.create(device=device, user=device.user, kind=Enrollment.Kind.ADDE)
    Channel.objects.create(enrollment=enrollment)

    with django_assert_num_queries(1):
        (channel,) = Channel.objects.select_related("enrollment__device")
        assert channel.enrollment.device == device


def test_nothing_happens_where_a_row_is_made() -> None:
    """Else it would not happen for those that are read."""
    for model in Loaded.__subclasses__():
        assert model.__init__ is models.Model.__init__
        assert not pre_init.has_listeners(model)
        assert not post_init.has_listeners(model)
