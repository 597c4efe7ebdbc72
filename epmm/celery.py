"""The Celery application.  The job table is the truth; see `epmm/models.py`."""

import os
from typing import Any, Final

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "epmm.settings")
# Each worker would look at all the code as it starts, and load every page for that, which a worker has no use for.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

JOBS: Final = "celery"  # the queue, by the name that Celery gives it
ENOUGH: Final = 300  # rings that wait: what more there is to do stands in the table

app = Celery("epmm")
app.set_default()
app.config_from_object(
    {
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "worker_prefetch_multiplier": 1,
        "broker_connection_retry_on_startup": True,
        "worker_proc_alive_timeout": 30,
        "timezone": "UTC",
    }
)
app.autodiscover_tasks()


@signals.setup_logging.connect
def leave_logging_alone(**_: object) -> None:
    """What settings.py says about the log holds for workers, too.

    Celery sets it up for itself unless somebody listens here, and the level of its own lines is then everybody's.
    """


@app.on_configure.connect
def read_broker(sender: Celery, **_: object) -> None:
    from django.conf import settings

    sender.conf["broker_url"] = settings.BROKER_URL
    if settings.BROKER_URL.startswith("memory:"):
        sender.conf.broker_transport_options = {"polling_interval": 0.02}
    else:
        # Without these a killed worker's task waits for about 100 seconds, whatever the visibility timeout says.
        sender.conf.broker_transport_options = {
            "visibility_timeout": 600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 3,
            "socket_timeout": 10,
        }


def has_room() -> bool:
    """Whether another ring would be of use: without an end to them the broker's memory would have one."""
    pool: Any = app.pool  # described as one of producers
    # the errors of each broker by one name, as where Celery sends
    with pool.acquire(block=True) as connection, connection._reraise_as_library_errors():  # noqa: SLF001
        return int(connection.default_channel.queue_declare(JOBS, durable=True).message_count) < ENOUGH
