"""The token life cycle: one account's token had once, shared by all who ask, and never burnt."""

from harvester.auth.api import AccountApi
from harvester.auth.held import Account, digest
from harvester.auth.keeper import REFUSED_ANEW, Keeper
from harvester.auth.life import LOGGED_OUT, NO_PASSWORD
from harvester.auth.renewal import BUDGET, ENDED
from harvester.auth.sealed import SEAL_BROKEN
from harvester.auth.shared import Shared
from harvester.auth.spill import UNREADABLE

__all__ = ["REASONS", "Account", "AccountApi", "Keeper", "Shared", "digest"]

REASONS = (BUDGET, ENDED, LOGGED_OUT, NO_PASSWORD, REFUSED_ANEW, SEAL_BROKEN, UNREADABLE)
"""Why there is no token, beside what the platforms' errors say."""
