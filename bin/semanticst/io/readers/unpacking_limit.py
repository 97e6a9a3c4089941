"""The limit of what may be unpacked of a file that is packed, so that a bomb is stopped whatever it says of itself."""

from semanticst.errors import ReadError

FREELY = 1 << 30
"""Bytes that are unpacked without a look at the ratio."""
RATIO = 200
"""Most bytes per packed byte beyond that. Tables of counts reach 50, deflate at most 1032."""


class UnpackingLimit:
    """What may still be unpacked. packed : bytes of the file. free : of the disk; None where nothing is written."""

    def __init__(self, packed: int, free: int | None = None):
        self.packed, self.free, self.taken = packed, free, 0

    def take(self, n: int) -> None:
        """Count ``n`` more bytes. Raises ReadError beyond the limits."""
        self.taken += n
        if self.taken > max(FREELY, RATIO * self.packed):
            raise ReadError(
                f"unsafe: {self.packed:,} bytes unpack to more than {self.taken:,}; if you trust it, unpack it, and "
                "give what was in it"
            )
        if self.free is not None and self.taken > self.free:
            raise ReadError(f"more is packed in it than the {max(0, self.free):,} bytes that are free on the disk")
