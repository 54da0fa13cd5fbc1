"""The vendor's own client, which does at a DeviceHive what its users do, and tells what it saw.

Reads what to do as JSON: url, login, password, device, and the subscriptions that it is to make.
It has busy loops, threads that nothing ends, and no time limit: a process of its own ends them all.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from devicehive import DeviceHive, DeviceHiveApi, Handler

# Its loops look again after a microsecond unless they are told.
PATIENT = {"transport_alive_sleep_time": 0.01}
PATIENT_BY_WAY = {
    "http": {"events_queue_sleep_time": 0.01, "timeout": 10},
    "ws": {"event_queue_sleep_time": 0.01, "response_sleep_time": 0.001},
}
ALL = {"sort_field": "timestamp", "sort_order": "ASC", "take": 1000}


class User(Handler):  # type: ignore[misc]  # devicehive has no types
    """Does all in one go once it is connected, then waits for what it subscribed to."""

    def __init__(self, api: Any, device: str, awaited: list[str], saw: dict[str, Any]) -> None:
        super().__init__(api)
        self._device = device
        self._awaited = set(awaited)
        self._saw = saw

    def handle_connect(self) -> None:
        before = self.api.token.access_token
        self._saw["refreshed"] = self.api.refresh_token() != before
        self._saw["version"] = self.api.get_info()["api_version"]
        self._saw["networks"] = [each.id for each in self.api.list_networks()]
        device = self.api.put_device(self._device, name="Probe")
        self._saw["devices"] = [each.id for each in self.api.list_devices()]
        for each in sorted(self._awaited):
            getattr(device, f"subscribe_{each}")()
        self._notify(device)
        self._order(device)

    def _notify(self, device: Any) -> None:
        sent = device.send_notification("temperature", parameters={"value": 21.5})
        listed = device.list_notifications(notification="temperature", **ALL)
        self._saw["sent"] = [sent.id, sent.timestamp]
        self._saw["listed"] = [[each.id, each.timestamp] for each in listed]

    def _order(self, device: Any) -> None:
        command = device.send_command("valve/open", parameters={"line": 3}, lifetime=60)
        command.status, command.result = "OK", {"opened": True}
        command.save()
        self._saw["ordered"] = command.id
        self._saw["commands"] = [
            [each.id, each.status, each.result] for each in device.list_commands(**ALL)
        ]

    def handle_notification(self, notification: Any) -> None:
        if not notification.notification.startswith("$"):
            self._came("notifications", [notification.id, notification.timestamp])

    def handle_command_insert(self, command: Any) -> None:
        self._came("insert_commands", command.id)

    def handle_command_update(self, command: Any) -> None:
        self._came("update_commands", [command.id, command.status, command.result])

    def _came(self, kind: str, what: object) -> None:
        self._saw[kind] = what
        self._awaited.discard(kind)
        if not self._awaited:
            self.api.disconnect()


def main(url: str, login: str, password: str, device: str, subscriptions: list[str]) -> None:
    saw: dict[str, Any] = {}
    who = {"login": login, "password": password} | PATIENT
    more = PATIENT_BY_WAY[url.partition(":")[0]]
    DeviceHive(User, device, subscriptions, saw).connect(url, max_num_connect=0, **who, **more)
    # This one logs in anew for each call.
    saw["found"] = [each.id for each in DeviceHiveApi(url, **who, **more).list_devices()]
    print(json.dumps(saw), flush=True)  # noqa: T201  what the test reads
    os._exit(0)


if __name__ == "__main__":
    main(**json.load(sys.stdin))
