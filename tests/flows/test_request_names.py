"""What a device causes can be followed from the line of its request into the worker."""

import logging

import pytest

from epmm.models import Job
from tests.flows.house import House, person


@pytest.mark.django_db(transaction=True)
def test_a_job_of_a_device_names_the_request_that_caused_it(house: House, caplog: pytest.LogCaptureFixture) -> None:
    person()
    device = house.enrolled()
    with caplog.at_level(logging.INFO):
        device.check_out()

    jobs = Job.objects.filter(kind="enrollment.revoke_tokens")
    assert len(set(jobs.values_list("request_id", flat=True))) == len(jobs) > 0
    assert None not in jobs.values_list("request_id", flat=True)
