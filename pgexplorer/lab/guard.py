"""What the lab refuses, whoever asks: production, restarts of servers that are not ours, too much at once."""

from pgexplorer.db.profile import Environment, Profile

MOST_THREADS = 64
LONGEST = 600.0  # seconds that anything here may last


class Refused(Exception):
    """The lab does not do this. The text says why and what would be needed."""


class OnProduction(Refused):
    """The server is marked production."""


class NotTheDemo(Refused):
    """The server is not the demo server of this program."""


class NoRoom(Refused):
    """The server has too few connections left."""


def permit(profile: Profile) -> None:
    """Raise OnProduction where faults must never be: the profile's environment is production."""
    if profile.environment is Environment.PRODUCTION:
        raise OnProduction(
            f"{profile.title} is marked production. Faults and scenarios break connections on purpose: they run on "
            "development and staging servers only."
        )


def bounded(what: str, value: float, most: float, least: float = 0.0) -> float:
    """Return *value*, seen to lie in its bounds. Raises ValueError in plain words."""
    if not least <= value <= most:  # false for NaN
        raise ValueError(f"{what}: from {least:g} to {most:g}, not {value:g}")
    return value
