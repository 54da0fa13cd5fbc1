"""Who may do what with which device of the fake DeviceHive."""

from harvester.simulator.devicehive_auth import Bearer
from harvester.simulator.devicehive_site import ADMIN, Device, Network, Site
from harvester.simulator.faults import Refusal

(
    GET_NETWORK,
    GET_DEVICE,
    GET_NOTIFICATION,
    GET_COMMAND,
    REGISTER_DEVICE,
    CREATE_COMMAND,
    UPDATE_COMMAND,
    CREATE_NOTIFICATION,
    GET_CURRENT_USER,
) = range(2, 11)
GET_DEVICE_TYPE = 17


class Rights:
    """What a token is good for, of what is its user's now. All raise Refusal 403 or 404."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def check(self, bearer: Bearer, action: int) -> None:
        if not bearer.may(action):
            raise Refusal(403, "Access is denied")

    def networks(self, bearer: Bearer) -> list[Network]:
        """All that the bearer sees."""
        named = bearer.networks
        networks = self.site.visible(bearer.account)
        return [each for each in networks if "*" in named or str(each.id) in named]

    def devices(self, bearer: Bearer) -> list[Device]:
        """All that the bearer sees. Users may see all types, and then any token is for all."""
        networks = {each.id for each in self.networks(bearer)}
        return [each for each in self.site.devices.values() if each.network in networks]

    def device(self, bearer: Bearer, action: int, identifier: str) -> Device:
        """The device, for an action. A client is not told whether there is one."""
        self.check(bearer, action)
        for each in self.devices(bearer):
            if each.id == identifier:
                return each
        if bearer.account.role == ADMIN and "*" in bearer.networks:
            raise Refusal(404, f"Device with such deviceId = {identifier} not found")
        raise Refusal(403, "Access is denied")

    def network(self, bearer: Bearer, identifier: int) -> Network:
        self.check(bearer, GET_NETWORK)
        for each in self.networks(bearer):
            if each.id == identifier:
                return each
        if bearer.account.role == ADMIN:
            raise Refusal(404, f"Network with id = {identifier} not found")
        raise Refusal(403, "Access is denied")
