"""Refusals: the errors that a client gets, with their HTTP status."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse

BAD_REQUEST = 400
UNAUTHORISED = 401
FORBIDDEN = 403
NOT_FOUND = 404
TOO_SLOW = 408
TOO_LARGE = 413
UNSUPPORTED = 415
MISDIRECTED = 421
UNUSABLE = 422
CLIENT_LEFT = 499
FAILED = 500
OVERLOADED = 503
RETRY_SECONDS = 1


class Refusal(Exception):  # noqa: N818 - it is an answer, and no failure of the program
    """A request, or one picture of it, that is not answered: its HTTP status and reason."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = dict(headers or {})

    def to_response(self) -> JSONResponse:
        """Return it as the client gets it."""
        return JSONResponse({"error": self.to_dict()}, self.status, self.headers)

    def to_dict(self) -> dict[str, object]:
        """Return status and reason, as they stand in JSON."""
        return {"status": self.status, "reason": self.reason}


def refuse_overload(reason: str) -> Refusal:
    """Return the refusal of a request that a less busy server would answer."""
    return Refusal(OVERLOADED, f"{reason}; try again in {RETRY_SECONDS} s", {"Retry-After": str(RETRY_SECONDS)})
