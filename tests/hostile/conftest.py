"""The good inputs, and the voice of other libraries given back after each call."""

from tests.cli.conftest import _forget_manners
from tests.hostile.scene import good

__all__ = ["_forget_manners", "good"]
