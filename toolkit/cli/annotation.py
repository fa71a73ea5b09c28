"""The commands of the annotation study: pool, report, export."""

from typing import Any

from ..annotation import commands as c
from .command import command


def declare(commands: Any) -> None:
    """Declare them."""
    c.arguments_pool(command(commands, c.pool, c.EPILOG["pool"]))
    c.arguments_report(command(commands, c.report, c.EPILOG["report"]))
    c.arguments_export(command(commands, c.export, c.EPILOG["export"]))
