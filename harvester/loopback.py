"""Which hosts are this machine."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine; of names only "localhost" is trusted."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
