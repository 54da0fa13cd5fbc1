"""Where a Postgres answers, and as whom we speak to it."""

from dataclasses import dataclass, field

HOST = "127.0.0.1"
SUPERUSER = "postgres"
APPLICATION = "harvester"  # the role that owns the database of the same name


@dataclass(frozen=True, slots=True)
class Server:
    """One login at one server. There is no TLS: give asyncpg `ssl=False` and the password."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)

    @property
    def dsn(self) -> str:
        """Without the password, so that it may be shown and logged."""
        return f"postgresql://{self.user}@{self.host}:{self.port}/{self.database}"
