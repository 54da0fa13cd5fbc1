"""The data of the fake DeviceHive over HTTP: which verb a route stands for."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from harvester.simulator import devicehive_asked as asking
from harvester.simulator.devicehive_auth import Bearer, Tokens
from harvester.simulator.devicehive_devices import Devices
from harvester.simulator.devicehive_messages import Hanging, Messages
from harvester.simulator.devicehive_polls import Polls
from harvester.simulator.faults import silence

Verb = Callable[[web.Request, Bearer], Awaitable[object]]

DEVICE = "/device/{device}"


class Rest:
    """Its routes, under any base."""

    def __init__(self, tokens: Tokens, devices: Devices, messages: Messages, polls: Polls) -> None:
        self._tokens = tokens
        self._devices = devices
        self._messages = messages
        self._polls = polls

    def routes(self, base: str) -> list[web.RouteDef]:
        """In the order in which they are tried."""
        routes = [*self._of_devices(), *self._of_notifications(), *self._of_commands()]
        return [
            web.route(method, base + path, self._answering(verb, status))
            for method, path, verb, status in routes
        ]

    def _of_devices(self) -> list[tuple[str, str, Verb, int]]:
        return [
            ("GET", "/device", self._list_devices, 200),
            ("GET", "/device/count", self._count_devices, 200),
            ("GET", "/device/notification/poll", self._poll_notifications, 200),
            ("GET", "/device/command/poll", self._poll_commands, 200),
            ("GET", DEVICE, self._get_device, 200),
            ("PUT", DEVICE, self._save_device, 204),
            ("DELETE", DEVICE, self._delete_device, 204),
            ("GET", "/network", self._list_networks, 200),
            ("GET", "/network/{number}", self._get_network, 200),
            ("GET", "/devicetype", self._list_device_types, 200),
            ("GET", "/devicetype/{number}", self._get_device_type, 200),
            ("GET", "/user/current", self._get_user, 200),
        ]

    def _of_notifications(self) -> list[tuple[str, str, Verb, int]]:
        return [
            ("GET", f"{DEVICE}/notification", self._list_notifications, 200),
            ("POST", f"{DEVICE}/notification", self._notify, 201),
            ("GET", f"{DEVICE}/notification/poll", self._poll_notifications, 200),
            ("GET", f"{DEVICE}/notification/{{number}}", self._get_notification, 200),
        ]

    def _of_commands(self) -> list[tuple[str, str, Verb, int]]:
        return [
            ("GET", f"{DEVICE}/command", self._list_commands, 200),
            ("POST", f"{DEVICE}/command", self._order, 201),
            ("GET", f"{DEVICE}/command/poll", self._poll_commands, 200),
            ("GET", f"{DEVICE}/command/{{number}}", self._get_command, 200),
            ("PUT", f"{DEVICE}/command/{{number}}", self._report, 204),
            ("GET", f"{DEVICE}/command/{{number}}/poll", self._poll_command, 200),
        ]

    def _answering(
        self, verb: Verb, status: int
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            bearer = self._tokens.bearer(request.headers.get("Authorization"))
            try:
                told = await verb(request, bearer)
            except Hanging:
                return await silence(request)
            if told is None:
                return web.Response(status=204)
            return web.json_response(told, status=status)

        return answer

    async def _list_devices(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.listed(bearer, request.query)

    async def _count_devices(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.count(bearer, request.query)

    async def _get_device(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.get(bearer, _device(request))

    async def _save_device(self, request: web.Request, bearer: Bearer) -> object:
        self._devices.save(bearer, _device(request), await asking.body(request))
        return None

    async def _delete_device(self, request: web.Request, bearer: Bearer) -> object:
        self._devices.delete(bearer, _device(request))
        return None

    async def _list_networks(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.networks(bearer, request.query)

    async def _get_network(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.network(bearer, _number(request))

    async def _list_device_types(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.device_types(bearer, request.query)

    async def _get_device_type(self, request: web.Request, bearer: Bearer) -> object:
        return self._devices.device_type(bearer, _number(request))

    async def _get_user(self, _request: web.Request, bearer: Bearer) -> object:
        return self._devices.user(bearer)

    async def _list_notifications(self, request: web.Request, bearer: Bearer) -> object:
        return self._messages.notifications(bearer, _device(request), request.query)

    async def _notify(self, request: web.Request, bearer: Bearer) -> object:
        return self._messages.notify(bearer, _device(request), await asking.body(request))

    async def _poll_notifications(self, request: web.Request, bearer: Bearer) -> object:
        device = request.match_info.get("device")
        return await self._polls.notifications(bearer, request.query, device)

    async def _get_notification(self, request: web.Request, bearer: Bearer) -> object:
        return self._messages.notification(bearer, _device(request), _number(request))

    async def _list_commands(self, request: web.Request, bearer: Bearer) -> object:
        return self._messages.commands(bearer, _device(request), request.query)

    async def _order(self, request: web.Request, bearer: Bearer) -> object:
        return self._messages.order(bearer, _device(request), await asking.body(request))

    async def _poll_commands(self, request: web.Request, bearer: Bearer) -> object:
        device = request.match_info.get("device")
        return await self._polls.commands(bearer, request.query, device)

    async def _get_command(self, request: web.Request, bearer: Bearer) -> object:
        told = (_device(request), _number(request), request.query)
        return self._messages.command(bearer, *told)

    async def _report(self, request: web.Request, bearer: Bearer) -> object:
        told = (_device(request), _number(request), await asking.body(request))
        self._messages.report(bearer, *told)
        return None

    async def _poll_command(self, request: web.Request, bearer: Bearer) -> object:
        told = (_device(request), _number(request), request.query)
        return await self._polls.command(bearer, *told)


def _device(request: web.Request) -> str:
    return request.match_info["device"]


def _number(request: web.Request) -> int:
    return asking.identifier(request.match_info["number"])
