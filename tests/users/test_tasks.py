from datetime import timedelta

import pytest
from django.utils import timezone

from epmm import audit, jobs
from epmm.models import AuditEntry
from users.models import SignInFailures
from users.services import lock_out, sign_in
from users.tasks import forget_failed_sign_ins


@pytest.mark.django_db
def test_what_strangers_wrote_is_forgotten_in_time() -> None:
    lock_out.count_attempt("nobody", None)
    audit.record(sign_in.FAILED, actor="unknown", subject_type="user", subject="unknown")
    forget_failed_sign_ins()
    assert (SignInFailures.objects.count(), AuditEntry.objects.count()) == (1, 1)

    SignInFailures.objects.update(last_at=timezone.now() - timedelta(days=2))
    AuditEntry.objects.update(at=timezone.now() - timedelta(days=100))
    forget_failed_sign_ins()

    assert (SignInFailures.objects.count(), AuditEntry.objects.count()) == (0, 0)


def test_the_worker_does_it_every_hour() -> None:
    assert jobs.HANDLERS["users.forget_failed_sign_ins"] is forget_failed_sign_ins
    assert jobs.PERIODIC["users.forget_failed_sign_ins"] == timedelta(hours=1)
