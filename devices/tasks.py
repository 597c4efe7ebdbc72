from datetime import timedelta

from devices.services import archive, contact, push, push_expiry, results
from devices.services import broadcast as broadcasts
from epmm import jobs


@jobs.handles("devices.read_results", outbox=results.waiting)
def read_results() -> None:
    while results.read_results(results.BATCH) == results.BATCH:
        pass


@jobs.handles("devices.copy_last_seen", every=timedelta(seconds=10))
def copy_last_seen() -> None:
    contact.copy_last_seen()


@jobs.handles("devices.archive", every=timedelta(days=1))
def keep_archive_in_shape() -> None:
    archive.keep_in_shape()


@jobs.handles("devices.warn_of_push_expiry", every=timedelta(hours=1))
def warn_of_push_expiry() -> None:
    push_expiry.warn()


@jobs.handles("devices.push", outbox=push.waiting)
def push_due() -> None:
    while push.push_due() == push.BATCH:
        pass


@jobs.handles("devices.wake")
def wake(channel: int) -> None:
    push.wake_channel(channel)


@jobs.handles("devices.broadcast")
def queue_broadcast(broadcast: int) -> None:
    broadcasts.work(broadcast)
