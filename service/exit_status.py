"""What the process tells whoever started it."""

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended. 2 is also what the command line itself uses for wrong usage."""

    OK = 0
    FAILED = 1
    WRONG_SETTINGS = 2
    TIMED_OUT = 3
    # 128 and the number of SIGINT, as shells count.
    INTERRUPTED = 130
