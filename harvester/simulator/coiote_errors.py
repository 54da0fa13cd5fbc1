"""How the fake Coiote refuses: with a code of four digits beside the status."""

from harvester.simulator.faults import Refusal


class Coded(Refusal):
    """A refusal with a code of its own; its first three digits are the status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code // 10, message)
        self.code = code


def code_of(refusal: Refusal) -> int:
    """What says no more than its status has a code that ends in 0."""
    return refusal.code if isinstance(refusal, Coded) else refusal.status * 10
