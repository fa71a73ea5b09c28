"""Threads share their heaps."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

# malloc_info(3) tells of every heap.
COUNT = """
import ctypes, sys, threading
if sys.argv[2:]:
    from app import share_heaps
    share_heaps()
together = threading.Barrier(13)
def work():
    kept = [bytes(5000) for _ in range(100)]
    together.wait(), together.wait()
for _ in range(12):
    threading.Thread(target=work).start()
together.wait()
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
told = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, told), libc.fclose(told)
together.wait()
"""


def heaps(told: Path, *how: str) -> int:
    subprocess.run([sys.executable, "-c", COUNT, told, *how], check=True)
    return told.read_text().count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives threads heaps of their own")
def test_threads_share_two_heaps_instead_of_having_one_each(tmp_path: Path) -> None:
    assert heaps(tmp_path / "shared", "shared") <= 2 < 6 <= heaps(tmp_path / "apart")
