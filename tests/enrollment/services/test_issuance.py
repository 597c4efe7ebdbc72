"""One challenge, one identity: also when the device asks twice at once."""

import pytest

from devices.models import Identity
from enrollment.services import authorities, issuance
from tests import pki
from tests.enrollment.phone import Phone
from tests.together import together


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("second_key", "refused"), [(60, 0), (61, 1)])
def test_requests_at_once_lead_to_one_identity(phone: Phone, second_key: int, refused: int) -> None:
    authorities.device_ca()
    challenge = issuance.challenge_text(issuance.new_challenge(phone.enrollment))
    before = Identity.objects.count()

    def ask(key: int) -> Identity:
        return issuance.issue(
            challenge=challenge, public_key=pki.rsa_key(number=key).public_key(), transaction_id=f"t{key}"
        )

    for number in (60, second_key):  # made before, so that both ask at the same moment
        pki.rsa_key(number=number)
    answers = together(lambda: ask(60), lambda: ask(second_key))

    identities = {answer.pk for answer in answers if isinstance(answer, Identity)}
    assert len(identities) == 1
    assert [type(answer) for answer in answers].count(issuance.ChallengeRefused) == refused
    assert Identity.objects.count() == before + 1
