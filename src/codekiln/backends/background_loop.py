"""An asyncio event loop in a thread of its own, for a blocking interface over async sockets.

Takes coroutines, gives tasks that any thread can cancel and wait for. Knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")
JOIN_TIMEOUT_S = 10.0


class BackgroundTask(Generic[T]):
    """A coroutine that runs on the loop; its methods may be called from any other thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> None:
        self._loop = loop
        self._ended = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._task: asyncio.Task[T] | None = None
        loop.call_soon_threadsafe(self._start, coroutine)

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._task = self._loop.create_task(coroutine)
        self._task.add_done_callback(lambda _: self._end())

    def _end(self) -> None:
        self._ended.set()
        for callback in self._callbacks:
            callback()

    def when_ended(self, callback: Callable[[], None]) -> None:
        """Call `callback` on the loop's thread once the task has ended, however it ended."""

        def add() -> None:
            if self._ended.is_set():
                callback()
            else:
                self._callbacks.append(callback)

        self._loop.call_soon_threadsafe(add)

    def result(self) -> T:
        """Wait for the end; the coroutine's value, or its error (CancelledError included)."""
        self._ended.wait()
        assert self._task is not None
        return self._task.result()

    def cancel(self) -> None:
        """Cancel and wait until the coroutine has let go of what it held."""
        if not self._ended.is_set():
            self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())
            self._ended.wait(JOIN_TIMEOUT_S)


class BackgroundLoop:
    """The loop and its daemon thread, started at once, ended by `close`."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> BackgroundTask[T]:
        """Run `coroutine` on the loop."""
        return BackgroundTask(self._loop, coroutine)

    def close(self, cleanup: Coroutine[Any, Any, None]) -> None:
        """Cancel every task, run `cleanup`, end the thread."""

        async def shut_down() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await cleanup

        self.start(shut_down()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(JOIN_TIMEOUT_S)
