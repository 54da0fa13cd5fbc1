"""Questions below the root of the API: how the parts of a path are spelled in it."""

from urllib.parse import quote, urlencode

from harvester.errors import Forbidden, RequestRefused
from harvester.platforms.base import Api, Params
from harvester.platforms.coiote.codes import Refusal, code_of

ROOT = "/api/coiotedm/v3"
_OF_A_PROXY = (400, 404)
_NO_UTF_8 = "replace"
"""What JSON may hold and no URL: nothing goes by such a name."""


class Asking:
    """Asks one installation.

    A part of a path may hold slashes and colons, which are sent percent-encoded. Proxies there are
    that let no such path pass; the vendor's own examples have them plain, so that is tried once.
    """

    def __init__(self) -> None:
        self._is_raw: bool | None = None
        """None until one of the two ways was answered by the platform itself."""

    async def get(
        self, api: Api, *parts: str, params: Params | None = None, each: tuple[str, ...] = ()
    ) -> object:
        """The decoded answer; `each` are values of the parameter `parameters`, which is repeated.

        Raises the errors of `Api`.
        """
        named = [("parameters", one) for one in each]
        query = f"?{urlencode(named, quote_via=quote, errors=_NO_UTF_8)}"
        end = query if each else ""
        encoded, raw = _path(parts, safe="") + end, _path(parts, safe="/:") + end
        if self._is_raw or encoded == raw:
            return await api.get(raw, params)
        try:
            answer = await api.get(encoded, params)
        except (Forbidden, RequestRefused) as refusal:
            if code_of(refusal) is not None:
                self._is_raw = False
            if self._is_raw is False or not _is_of_a_proxy(refusal):
                raise
            return await self._plainly(api, raw, params, refusal)
        self._is_raw = False
        return answer

    async def _plainly(self, api: Api, raw: str, params: Params | None, refusal: Refusal) -> object:
        """Raises the first refusal where this way is not let through either."""
        try:
            answer = await api.get(raw, params)
        except (Forbidden, RequestRefused) as error:
            if code_of(error) is None:
                raise refusal from None
            self._is_raw = True
            raise
        self._is_raw = True
        return answer


def _is_of_a_proxy(refusal: Refusal) -> bool:
    return refusal.status in _OF_A_PROXY and code_of(refusal) is None


def _path(parts: tuple[str, ...], safe: str) -> str:
    return "/".join([ROOT, *(quote(part, safe=safe, errors=_NO_UTF_8) for part in parts)])
