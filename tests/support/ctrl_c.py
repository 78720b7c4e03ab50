"""Processes that can be interrupted, wherever the tests are started from."""

import signal


def with_ctrl_c():
    """For Popen's preexec_fn: a shell's background jobs, and what they start, ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
