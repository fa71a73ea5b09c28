"""Threads share their heaps: what keeps a server of many threads small (mallopt(3), M_ARENA_MAX of glibc)."""

import ctypes
from contextlib import suppress

ARENAS = (-8, 2)  # M_ARENA_MAX, as malloc.h has it, and how many


def share_heaps() -> None:
    """Have all threads share two heaps, where the C library is glibc: before there are any others than this one.

    By default it gives eight a core, and each thread of a server leaves its own full of holes: half a gigabyte in a
    quarter of an hour of many visitors.
    """
    with suppress(OSError, AttributeError, TypeError):  # another system, another C library
        ctypes.CDLL(None).mallopt(*ARENAS)
