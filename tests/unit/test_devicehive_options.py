"""Where DeviceHive's WebSocket is, as far as the settings tell."""

import pytest
from pydantic import ValidationError

from harvester.platforms.devicehive.options import DeviceHiveOptions


@pytest.mark.parametrize(
    ("base_url", "socket_url"),
    [
        ("https://hive.example/api/rest", "wss://hive.example/api/websocket"),
        ("https://hive.example/api/rest/", "wss://hive.example/api/websocket"),
        ("HTTPS://hive.example:8443/api/rest", "wss://hive.example:8443/api/websocket"),
        ("http://127.0.0.1:8080/dh/rest", "ws://127.0.0.1:8080/dh/websocket"),
    ],
)
def test_the_websocket_is_beside_the_api(base_url: str, socket_url: str) -> None:
    options = DeviceHiveOptions(base_url=base_url, ingest="websocket")
    assert options.socket_url == socket_url


def test_another_websocket_is_named() -> None:
    url = "wss://sockets.example/x"
    for base_url in ("https://hive.example/api/rest", "https://hive.example/"):
        options = DeviceHiveOptions(base_url=base_url, websocket_url=url, ingest="websocket")
        assert options.socket_url == url


def test_a_websocket_that_nobody_can_tell_is_asked_for_only_where_it_is_used() -> None:
    with pytest.raises(ValidationError, match="give a websocket_url"):
        DeviceHiveOptions(base_url="https://hive.example/api", ingest="websocket")
    assert DeviceHiveOptions(base_url="https://hive.example/api").ingest == "polling"


def test_a_retention_that_no_poll_can_keep_up_with_is_refused_in_words() -> None:
    told = {"base_url": "https://hive.example/api/rest", "retention": "14s"}
    with pytest.raises(ValidationError, match='takes "15s" or longer'):
        DeviceHiveOptions.model_validate(told)
    assert DeviceHiveOptions.model_validate(told | {"retention": "15s"}).retention.seconds == 15
