# SPDX-License-Identifier: Apache-2.0
"""Errors that the service answers with: a status, a stable code, and what to do."""

from __future__ import annotations

from inference.contract import ErrorAnswer


class ServiceError(Exception):
    """A request that gets no answer. ``message`` never repeats anything from the request.

    :param status: HTTP status, 4xx or 5xx.
    :param code: stable, for programs.
    :param message: for people, says what to do.
    :param retry_after: seconds after which a retry makes sense.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    @property
    def answer(self) -> ErrorAnswer:
        """Body of the HTTP response."""
        return ErrorAnswer(code=self.code, message=str(self))

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the HTTP response."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def too_large(most: int) -> ServiceError:
    """The body is larger than the service takes."""
    return ServiceError(
        413, "too-large", f"the body is larger than {most} bytes; send fewer instances at once"
    )
