from enrollment.models.access import AccessToken, AuthorizationCode, RefreshToken, TokenFamily
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
    "AuthorizationCode",
    "Invitation",
    "InvitationRound",
    "InvitationTemplate",
    "LocalText",
    "PolicyText",
    "RefreshToken",
    "ScepChallenge",
    "Step",
    "TokenFamily",
]
