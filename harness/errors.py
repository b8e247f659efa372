"""The tree of expected failures and the exit code of each."""

from __future__ import annotations

from collections.abc import Sequence

EXIT_GOOD = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NOT_VALID = 3
EXIT_ENVIRONMENT = 4


class PausemarkError(Exception):
    """A failure that the user can act on.

    Printed as `error: <where>: <what>` and `hint: <next step>`, never as a traceback.
    """

    exit_code = EXIT_FAILURE

    def __init__(
        self, where: str, what: str, *, hint: str, more: Sequence[tuple[str, str]] = ()
    ) -> None:
        """`where` names a flag, file or program; `what` says expected and found.

        `hint` is the next step: without one nobody should have to read an error. `more`: where and
        what of further errors that were found with it.
        """
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what
        self.hint = hint
        self.more = more


class UsageError(PausemarkError):
    """A flag, manifest, scenario or result file says something that cannot be done."""

    exit_code = EXIT_USAGE


class EnvironmentLacking(PausemarkError):
    """This machine cannot do what was asked (no Docker, no space, a port in use)."""

    exit_code = EXIT_ENVIRONMENT


class BuildFailed(PausemarkError):
    """A backend or the engine did not build."""


class BackendFailed(PausemarkError):
    """A backend did not start, never got ready, crashed or answered wrongly."""


class LoadFailed(PausemarkError):
    """The engine or Locust could not drive the load."""


class ProbeFailed(PausemarkError):
    """A required probe could not run or died."""


class NotValid(PausemarkError):
    """Everything was measured, but the verdict forbids using it."""

    exit_code = EXIT_NOT_VALID
