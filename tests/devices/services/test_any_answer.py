"""Whatever a device answers, the worker digests: no answer is set aside for what it says."""

import plistlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.models import Device, Enrollment, FinishedCommand
from devices.services import inventory, results
from tests.devices.services.rows import answered_raw, channel_of, command, device_of, enrolled
from tests.devices.services.test_reading import ANSWERS


@pytest.mark.django_db
@settings(max_examples=120, deadline=None)
@given(
    answer=ANSWERS,
    request_type=st.sampled_from(sorted(inventory.REQUEST_TYPES)),
    kind=st.sampled_from(Enrollment.Kind),
    user_key=st.sampled_from(["", "user-1"]),
    binary=st.booleans(),
)
def test_any_answer_is_digested(
    answer: dict[str, Any],
    request_type: str,
    kind: Enrollment.Kind,
    user_key: str,
    binary: bool,  # noqa: FBT001 - one of two formats
) -> None:
    try:
        raw = plistlib.dumps(answer, fmt=plistlib.FMT_BINARY if binary else plistlib.FMT_XML)
    except (ValueError, TypeError):
        return  # plistlib writes no property list of this
    Device.objects.update(mdm_managed=False)
    enrollment = enrolled(kind=kind, platform=Device.Platform.MACOS)
    result = answered_raw(command(channel_of(enrollment, user_key), request_type), raw)

    assert results.read_results() == 1

    assert "unread" not in device_of(enrollment).details
    assert FinishedCommand.objects.filter(pk=result.pk).exists()
