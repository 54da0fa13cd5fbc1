"""The example of a platform, found beside the house's own without being named."""

from pathlib import Path

from harvester import platforms, simulator

EXAMPLE = Path(__file__).parent / "example"

platforms.__path__.append(str(EXAMPLE / "platforms"))
simulator.__path__.append(str(EXAMPLE / "simulator"))
