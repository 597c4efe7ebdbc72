"""What runs daily, weekly or monthly: after midnight UTC, of a Monday, of the first of a month.

Each has a row that says when it ran last and how far it has come, so that nothing runs twice and sums survive a worker.
"""

from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from epmm.models import Job, ScheduledRun


def last_time(every: str, now: datetime) -> datetime:
    """When it should have run at the latest."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match every:
        case "daily":
            return midnight
        case "weekly":
            return midnight - timedelta(days=midnight.weekday())
        case "monthly":
            return midnight.replace(day=1)
    raise ValueError(every)


def is_due(name: str, every: str) -> bool:
    """One that is switched on waits for its first midnight."""
    if every == "off":
        return False
    now = timezone.now()
    run, is_new = ScheduledRun.objects.get_or_create(name=name, defaults={"at": now})
    return not is_new and run.at < last_time(every, now)


@transaction.atomic
def begin(name: str, *, actor: str, **arguments: int) -> bool:
    """False while it is at it already."""
    ScheduledRun.objects.get_or_create(name=name, defaults={"at": timezone.now()})
    run = ScheduledRun.objects.select_for_update().get(name=name)
    if is_running(run):
        return False
    run.at, run.actor, run.result = timezone.now(), actor[:255], {"done": 0, "is_over": False}
    run.save()
    Job.enqueue(name, run_at=None, dedupe_key=None, **arguments)
    return True


def running(name: str) -> ScheduledRun | None:
    """Its row, locked, while there is something to do."""
    run = ScheduledRun.objects.select_for_update().filter(name=name).first()
    return run if run is not None and is_running(run) else None


def is_running(run: ScheduledRun) -> bool:
    return run.result.get("is_over") is False


def count(run: ScheduledRun, number: int) -> None:
    run.result["done"] += number
    run.save(update_fields=["result"])


def end(run: ScheduledRun) -> int:
    """How many it were."""
    run.result["is_over"] = True
    run.save(update_fields=["result"])
    return int(run.result["done"])
