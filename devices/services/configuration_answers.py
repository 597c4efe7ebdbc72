"""What devices answer when a profile is to be installed or removed."""

from typing import Final

from devices.models import Command, ConfigurationDelivery, Result
from devices.models.delivery import after_failures
from devices.protocol.error_chain import DeviceError, first_error
from devices.protocol.sentence import sentence as _
from devices.services import configuration_drift
from epmm.wire import plist
from epmm.wire.errors import WireError
from epmm.wire.limits import LARGEST_STORED

REQUEST_TYPES: Final = frozenset({"InstallProfile", "RemoveProfile"})
SILENT: Final = _("The device could not, and did not say why.")


def settle(result: Result) -> None:
    """Whoever sent the command may have been somebody else: then there is nothing to settle."""
    rows = ConfigurationDelivery.objects.select_for_update(of=("self",))
    row = rows.filter(channel=result.channel_id, command_id=result.pk).first()
    if row is None:
        return
    version_id = row.sent_id  # None: it was removed
    row.forget_command()
    row.answered_at = row.changed_at = result.received_at
    if result.state == Command.State.ACKNOWLEDGED:
        row.installed_id = version_id
        if version_id is not None:
            row.installed_at = result.received_at
        row.conclude(result.received_at)
    else:
        _refuse(row, result)
    row.save(update_fields=ConfigurationDelivery.WRITTEN)


def _told(result: Result) -> DeviceError:
    try:
        return first_error(plist.load_dict(bytes(result.body), max_bytes=LARGEST_STORED))
    except WireError:  # more than a reader takes
        return DeviceError()


def _refuse(row: ConfigurationDelivery, result: Result) -> None:
    error = _told(result)
    # the device calls it malformed: a fault of ours, which repeating does not mend
    hopeless = result.state == Command.State.FORMAT_ERROR
    again_at = None if hopeless else after_failures(row.attempts, result.received_at)
    row.fail(DeviceError(code=error.code, domain=error.domain, text=error.text or SILENT), again_at=again_at)
    row.attempts += 1
    if row.wanted_id is None:
        # Gone already, perhaps: codes differ between releases, the list of profiles tells.
        configuration_drift.ask([row.channel_id])
