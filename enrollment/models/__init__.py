from enrollment.models.access import AccessToken
from enrollment.models.attempt import Attempt, AttemptStep, Step
from enrollment.models.authority import Authority, ScepChallenge
from enrollment.models.consent import Acceptance, PolicyText

__all__ = [
    "Acceptance",
    "AccessToken",
    "Attempt",
    "AttemptStep",
    "Authority",
    "PolicyText",
    "ScepChallenge",
    "Step",
]
