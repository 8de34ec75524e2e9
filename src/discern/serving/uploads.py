"""The pictures of a request, as bytes."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from fastapi import Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from discern.errors import cut
from discern.serving.limits import Limits
from discern.serving.refusals import BAD_REQUEST, TOO_LARGE, UNSUPPORTED, Refusal

MAX_NAME = 120
_MULTIPART = "multipart/form-data"


class Upload(NamedTuple):
    """A picture as it came; its name is only ever shown, never looked for."""

    name: str
    content: bytes


async def read_uploads(request: Request, limits: Limits) -> list[Upload]:
    """Return the files of a form, or the body itself where it is the one picture.

    Raises:
        Refusal: There is none, or there are too many, or the form cannot be read.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == _MULTIPART:
        return await _read_form(request, limits)
    if kind and not kind.startswith("image/") and kind != "application/octet-stream":
        raise Refusal(
            UNSUPPORTED,
            f"a body of type {cut(kind, MAX_NAME)}; expected {_MULTIPART} with files, or one picture as image/*",
        )
    content = await request.body()
    if not content:
        raise Refusal(BAD_REQUEST, "the body is empty; expected a picture")
    return [Upload("picture", content)]


async def _read_form(request: Request, limits: Limits) -> list[Upload]:
    try:
        form = await _Form(request, limits).parse()
    except MultiPartException as error:
        status = TOO_LARGE if error.message.startswith("Too many") else BAD_REQUEST
        raise Refusal(status, f"the form cannot be read: {cut(error.message, MAX_NAME)}") from None
    except (FormParserError, LookupError, ValueError) as error:
        raise Refusal(BAD_REQUEST, f"the form cannot be read: {cut(str(error), MAX_NAME)}") from None
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        if not files:
            raise Refusal(BAD_REQUEST, "the form has no files; expected one or more under the name files")
        return [Upload(clean_name(file.filename), await asyncio.to_thread(file.file.read)) for file in files]
    finally:
        await form.close()


class _Form(MultiPartParser):
    """The parser of forms, which also refuses one that was cut off, instead of leaving out its last part."""

    def __init__(self, request: Request, limits: Limits) -> None:
        stream = self._check_end(request.stream())
        super().__init__(request.headers, stream, max_files=limits.max_pictures, max_fields=16, max_part_size=4096)
        self._has_ended = False

    def on_end(self) -> None:
        self._has_ended = True

    async def _check_end(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        if not self._has_ended:
            raise MultiPartException("it was cut off, its last boundary is missing")


def clean_name(name: str | None) -> str:
    """Return the last part of a file's name as it may be shown: without control characters, and not too long."""
    last = re.split(r"[/\\]", name or "")[-1]
    printable = "".join(character for character in last if character.isprintable())
    return cut(printable.strip() or "picture", MAX_NAME)
