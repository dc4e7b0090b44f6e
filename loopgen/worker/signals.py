"""Ctrl-C reaches every process of a terminal; only the one that owns the others heeds it, and ends them itself."""

from __future__ import annotations

import signal


def leave_ctrl_c_to_others() -> None:
    """Block SIGINT in this thread, so that the processes which it starts are born without it.

    Does nothing where signals cannot be blocked (Windows); there ``ignore_ctrl_c`` has to do.
    """
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # when it starts it unblocks what we block
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def ignore_ctrl_c() -> None:
    """Ignore SIGINT in this process, from its main thread, and let it be ignored at once where it was blocked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
