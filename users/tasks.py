from datetime import timedelta

from django.utils import timezone

from epmm import jobs


@jobs.handles("users.forget_failed_sign_ins", every=timedelta(hours=1))
def forget_failed_sign_ins() -> None:
    from users.services import (  # services start tasks; a task alone reaches for its service
        limits,
        lock_out,
        networks,
        sign_in,
    )

    now = timezone.now()
    for service in (lock_out, limits, networks, sign_in):
        service.forget(now)


@jobs.handles("users.forget_ended_sessions", every=timedelta(hours=1))
def forget_ended_sessions() -> None:
    from users.self_sessions import PersonStore
    from users.sessions import SessionStore

    SessionStore.clear_expired()
    PersonStore.clear_expired()


@jobs.handles("users.make_pin_file")
def make_pin_file(file: int) -> None:
    from users.services import pin_files

    pin_files.make(file)


@jobs.handles("users.act")
def act(run: int) -> None:
    from users.services import people_runs

    people_runs.work(run)


@jobs.handles("users.forget_runs", every=timedelta(days=1))
def forget_runs() -> None:
    """With the history of commands, as actions on devices."""
    from epmm import options, settings_store
    from users.services import people_runs

    people_runs.forget(timezone.now() - timedelta(days=settings_store.read(options.COMMAND_HISTORY_DAYS)))


@jobs.handles("users.forget_pin_files", every=timedelta(minutes=10))
def forget_pin_files() -> None:
    from users.services import people_runs, pin_files

    pin_files.forget()
    people_runs.close_old(timezone.now())


@jobs.handles("users.export_audit")
def export_audit(export: int) -> None:
    from users.services import audit_export

    audit_export.make(export)


@jobs.handles("users.forget_audit_exports", every=timedelta(hours=1))
def forget_audit_exports() -> None:
    from users.services import audit_export

    audit_export.forget()


@jobs.handles("users.forget_spent_sign_ins", every=timedelta(hours=1))
def forget_spent_sign_ins() -> None:
    from users.services.oidc import providers

    providers.forget_spent()


@jobs.handles("users.sync_directories", every=timedelta(minutes=1))
def sync_directories() -> None:
    from users.services.directory import sync

    sync.ask_for_due()


@jobs.handles("users.sync_directory")
def sync_directory(directory: int) -> None:
    from users.services.directory import sync

    sync.work(directory)


@jobs.handles("users.settle_accounts", every=timedelta(hours=1))
def settle_accounts() -> None:
    from users.services import account_conflicts

    account_conflicts.settle()


@jobs.handles("users.forget_idempotent_calls", every=timedelta(hours=1))
def forget_idempotent_calls() -> None:
    from users.services import idempotency

    idempotency.forget()
