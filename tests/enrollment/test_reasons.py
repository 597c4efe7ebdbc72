from django.utils import translation

from enrollment import reasons


def test_a_reason_stays_the_same_in_every_language() -> None:
    with translation.override("en"):
        status = {reasons.WRONG_CREDENTIALS: 200}
    with translation.override("de"):
        assert status[reasons.WRONG_CREDENTIALS] == 200
