"""Configuration profiles: reading one that somebody uploads, and telling where it may go."""

from devices.protocol.configuration_profile.judgement import Verdict, judge
from devices.protocol.configuration_profile.reading import (
    LARGEST,
    ConfigurationProfile,
    Payload,
    ProfileRefused,
    Scope,
    read,
)

__all__ = ["LARGEST", "ConfigurationProfile", "Payload", "ProfileRefused", "Scope", "Verdict", "judge", "read"]
