"""What a device causes can be followed from the line of its request into the worker."""

import logging

import pytest

from devices.models import Channel
from devices.protocol.commands import SecurityInfo
from devices.services import queue
from epmm import request_id
from epmm.logging import LineFormatter
from epmm.models import Job
from tests.flows.house import House, person, record_of


@pytest.mark.django_db(transaction=True)
def test_a_job_of_a_device_names_the_request_that_caused_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    person()
    device = house.enrolled()
    with caplog.at_level(logging.INFO):
        device.check_out()

    jobs = Job.objects.filter(kind="enrollment.revoke_tokens")
    assert len(set(jobs.values_list("request_id", flat=True))) == len(jobs) > 0
    assert None not in jobs.values_list("request_id", flat=True)


@pytest.mark.django_db(transaction=True)
def test_a_command_is_found_in_each_line_that_is_about_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """From the request of an administrator, through the gateway, to the worker that reads the answer."""
    person()
    device = house.enrolled()
    device.connect()
    house.work()
    caplog.clear()
    with caplog.at_level(logging.INFO):
        with request_id.known_as("request-of-anna"):
            command = queue.queue(Channel.objects.get(user_key=""), SecurityInfo())
        device.connect()
        house.work()

    lines = [LineFormatter().format(record).partition(" ")[2] for record in caplog.records]
    named = [line for line in lines if str(command.uuid).upper() in line]
    steps = ["a command was queued", "offered=", "status=Acknowledged", "an answer was read"]
    assert len(named) == len(steps)
    assert all(step in line for step, line in zip(steps, named, strict=True))
    number = f"device={record_of(device).pk}"
    assert [number in line for line in named] == [True, False, False, True]
