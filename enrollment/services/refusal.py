from devices.errors import DeviceRefused
from devices.models import Enrollment
from enrollment.reasons import Reason


class CheckinRefused(DeviceRefused):
    """A refusal that the trace of its enrollment shall show, once the transaction is rolled back."""

    def __init__(self, reason: Reason, enrollment: Enrollment, **details: object) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.enrollment = enrollment
        self.details = details
