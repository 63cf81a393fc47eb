"""Asks a model behind an OpenAI-compatible endpoint for its next message."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import IO, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import HarnessError, UsageError

BASE_URL, API_KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
ANSWER_BYTES = 32 << 20
WORDS = 300
"""As much of an endpoint's complaint is passed on."""


class EndpointFailed(HarnessError):
    """The endpoint cannot be used; never the agent's fault."""


class TooLong(Exception):
    """The endpoint says that it was asked wrongly, which may be for the conversation's length."""


class Busy(Exception):
    """The endpoint asks for patience, or cannot be reached just now."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s
        """Seconds that it asks to wait, if it says so."""


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Function(_Said):
    """What a tool is called with; a model may write anything here."""

    name: str = ""
    arguments: str = ""


class ToolCall(_Said):
    """A model's wish to use a tool."""

    id: str = ""
    function: Function = Function()


class Reply(_Said):
    """A model's message."""

    content: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[ToolCall] | None = None


class _Choice(_Said):
    message: Reply


class _Completion(_Said):
    choices: list[_Choice] = Field(min_length=1)
    usage: dict[str, Any] | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where a model can be asked."""

    base_url: str
    api_key: str
    model: str

    @classmethod
    def from_environment(cls, model: str) -> "Endpoint":
        """Returns the endpoint that `OPENAI_BASE_URL` and `OPENAI_API_KEY` name.

        Raises:
            UsageError: the address is missing, or none of HTTP.
        """
        address = os.environ.get(BASE_URL, "")
        if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
            raise UsageError(
                f"${BASE_URL} is {address!r}, which is no address of an endpoint.",
                hint="Set it to one, such as http://localhost:8000/v1.",
            )
        return cls(address.rstrip("/"), os.environ.get(API_KEY, ""), model)

    def complete(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]],
        timeout_s: float,
    ) -> tuple[Reply, dict[str, Any]]:
        """Returns the model's next message, and what it used up.

        Raises:
            Busy: it is worth while to ask again.
            TooLong: it is, with less.
            EndpointFailed: it is not.
        """
        asked = {"model": self.model, "messages": messages, "tools": tools}
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        request = urllib.request.Request(  # noqa: S310  # the scheme was checked
            f"{self.base_url}/chat/completions", json.dumps(asked).encode(), headers
        )
        try:
            with _OPENER.open(request, timeout=max(timeout_s, 0.1)) as response:
                text = response.read(ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except (OSError, ValueError) as error:
            raise Busy(f"the endpoint cannot be reached: {error}") from error
        except Exception as error:  # http.client's own, such as a torn answer
            raise Busy(f"the endpoint broke off: {type(error).__name__}") from error
        try:
            said = _Completion.model_validate(json.loads(text[: ANSWER_BYTES + 1]))
        except (ValueError, ValidationError, RecursionError) as error:
            raise Busy("the endpoint's answer is no completion") from error
        return said.choices[0].message, said.usage or {}


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: the key is for this address alone."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: Message, newurl: str,
    ) -> None:  # fmt: skip
        """Returns nothing, so that the answer counts as an error."""


_OPENER = urllib.request.build_opener(_Stay)


def _refused(error: urllib.error.HTTPError) -> Exception:
    words = error.read(WORDS).decode("utf-8", "replace")
    if error.code in (408, 409, 425, 429) or error.code >= 500:
        after = error.headers.get("Retry-After", "")
        return Busy(f"the endpoint says {error.code}", float(after) if after.isdecimal() else None)
    if error.code in (400, 413):
        return TooLong(f"the endpoint says {error.code}: {words}")
    return EndpointFailed(
        f"The endpoint refuses with {error.code}: {words}",
        hint=f"Check ${BASE_URL}, ${API_KEY} and the model's name.",
    )
