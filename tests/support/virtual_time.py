"""An event loop whose time costs nothing: where nothing is left to do, its clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

from typing_extensions import override

_Result = TypeVar("_Result")


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits and no timer is set: a wake-up was lost")
            self.now += max(0.0, timeout)
        return ready


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return self._jumping.now


def in_virtual_time(main: Callable[[], Coroutine[object, object, _Result]]) -> _Result:
    """Run `main` on such a loop, from time 0 on.

    Raises:
        RuntimeError: nothing could ever happen any more.
    """
    with asyncio.Runner(loop_factory=_VirtualTimeLoop) as runner:
        return runner.run(main())


def loop_time() -> float:
    return asyncio.get_running_loop().time()
