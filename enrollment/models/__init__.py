from enrollment.models.access import AccessToken
from enrollment.models.attempt import Attempt, AttemptStep, Step
from enrollment.models.authority import Authority, ScepChallenge
from enrollment.models.consent import Acceptance, LocalText, PolicyText
from enrollment.models.invitation import Invitation, InvitationRound, InvitationTemplate

__all__ = [
    "Acceptance",
    "AccessToken",
    "Attempt",
    "AttemptStep",
    "Authority",
    "Invitation",
    "InvitationRound",
    "InvitationTemplate",
    "LocalText",
    "PolicyText",
    "ScepChallenge",
    "Step",
]
