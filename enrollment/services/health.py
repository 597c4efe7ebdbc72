"""Whether the work gets done: the queue, the answers, the worker, and push."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone

from devices.models import PushCertificate
from devices.services import figures as device_figures
from devices.services import push_expiry
from devices.services.push_expiry import State
from epmm import health, work_figures
from epmm.figures import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    open_commands: int
    oldest_command_seconds: int
    unread: int
    oldest_unread_seconds: int
    jobs_overdue: int
    jobs_lag_seconds: int
    is_worker_alive: bool
    push: State
    is_push_refused: bool


def look() -> Health:
    said = (*device_figures.results(), *device_figures.reports())
    values = _values([*device_figures.queue(), *said, *work_figures.jobs()])
    row = PushCertificate.objects.defer("private_key", "certificate").first()
    return Health(
        open_commands=int(values["epmm_commands_open"]),
        oldest_command_seconds=int(values["epmm_commands_oldest_seconds"]),
        unread=int(values["epmm_results_undigested"] + values["epmm_reports_unread"]),
        oldest_unread_seconds=int(max(values["epmm_results_oldest_seconds"], values["epmm_reports_oldest_seconds"])),
        jobs_overdue=int(values["epmm_jobs_overdue"]),
        jobs_lag_seconds=int(values["epmm_jobs_lag_seconds"]),
        is_worker_alive=health.worker_beats(),
        push=push_expiry.state(row, timezone.now()),
        is_push_refused=row is not None and row.refused_at is not None,
    )


def _values(figures: Iterable[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures}
