from enrollment.models.access import AccessToken, AuthorizationCode, RefreshToken, TokenFamily
from enrollment.models.attempt import Attempt, AttemptStep, Step
from enrollment.models.authority import Authority, ScepChallenge
from enrollment.models.consent import Acceptance, LocalText, PolicyText
from enrollment.models.invitation import Invitation, InvitationRound, InvitationTemplate
from enrollment.models.rule import Rule

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
    "Rule",
    "ScepChallenge",
    "Step",
    "TokenFamily",
]
