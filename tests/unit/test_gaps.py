"""What `harvester gaps` leaves out."""

from datetime import timedelta
from pathlib import Path

import pytest
from configured import FORGETS, TENANT, settings

from harvester.cli.gaps import edge


@pytest.mark.parametrize(
    ("tenant", "minutes"),
    [(TENANT, 10), (FORGETS, 2), (FORGETS + 'retention = "9m"', 6)],
)
def test_the_live_edge_goes_by_how_often_is_polled(
    tmp_path: Path, tenant: str, minutes: int
) -> None:
    [found] = settings(tmp_path / "config.toml", tenant).tenants
    assert edge(found) == timedelta(minutes=minutes)
