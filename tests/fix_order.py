"""The order of tests: who may take longest comes first, or one worker would end late with it."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=patience, reverse=True)


def patience(item: pytest.Item) -> float:
    """The seconds of its own that a test may take."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0
