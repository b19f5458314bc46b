"""The model behind any OpenAI-compatible endpoint, through the `openai` SDK.

One streamed request a call, with a deadline for the whole reply and a cap on its size, one retry policy (the SDK's own
is off), and every call charged, the failed ones too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import cast
from urllib.parse import urlsplit

import httpx2
import openai
from openai.types.chat import ChatCompletionMessageParam

from bot.adapters.openai_calls import TooManyCalls
from bot.adapters.openai_client import Client, timeout_of
from bot.adapters.openai_faults import Fault, place, redact, status_fault, stream_fault
from bot.adapters.openai_reply import REPLY_CHARACTERS, Assembly, ReplyTooLong
from bot.adapters.openai_request import body_of, messages_of, parameters_of
from bot.adapters.openai_watch import Watch
from bot.adapters.repeating import Failed, repeated
from bot.config import ModelSettings, Price
from bot.errors import ConfigError, ModelError, ModelFault
from bot.ports import Clock, JsonValue, ModelReply, ModelRequest, OnPart, Usage


class OpenAIModel:
    """Implements bot.ports.Model. `prices`: US dollars by model name (bot.budget.load_prices).

    ConfigError for a key or address that no request could be sent with. Remembers which optional parameters the
    endpoint refused, and leaves them out from then on; where it refused tools, the next request that needs them fails
    at once and costs nothing. Threads may share it; connections are kept from one request to the next.
    """

    def __init__(self, settings: ModelSettings, clock: Clock, prices: Mapping[str, Price]) -> None:
        key = settings.api_key.strip()  # a secret pasted with its line end
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ConfigError(f"{settings.api_key_env} holds white space or characters no key has; set it again")
        url = urlsplit(settings.base_url)
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ConfigError(f"model.base_url is {settings.base_url!r}; it must begin with https:// or http://")
        self.name = settings.name
        self._provider = settings.provider or url.hostname
        self._settings = replace(settings, api_key=key)
        self._clock = clock
        self._prices = prices
        self._refused: frozenset[str] = frozenset()
        self._takes_tools = True
        self._longest_reply = sys.maxsize
        self._client = Client(self._settings)

    def complete(self, request: ModelRequest, on_part: OnPart | None = None) -> ModelReply:
        """`request.seconds` bounds all tries together; before a repeated one streams again, `on_part` gets RESTART.

        Raises ModelError for what repeating does not mend.
        """
        deadline = self._clock.monotonic() + request.seconds
        longest = self._longest_reply

        sent: dict[str, JsonValue] = {}

        def once() -> ModelReply | Failed:
            nonlocal sent
            sent = parameters_of(request, self._refused, longest)
            return self._once(request, sent, deadline, on_part)

        def mended(fault: Fault) -> bool:
            nonlocal longest
            if fault.longest_reply is not None and fault.longest_reply < min(longest, request.max_completion_tokens):
                longest = fault.longest_reply
                self._longest_reply = longest if fault.lasting else self._longest_reply
                return True
            refused = set(fault.refused) & sent.keys()
            self._refused |= refused
            self._takes_tools &= bool(refused) or fault.kind is not ModelFault.TOOLS_REFUSED
            return bool(refused)

        if request.tools and not self._takes_tools:
            raise ModelError(
                f"{place(self._settings)} takes no tools for model {self.name!r}, as it said before",
                usage=Usage(),
                fault=ModelFault.TOOLS_REFUSED,
            )
        return repeated(once, mended, deadline, self._clock, on_part, paid_tries=request.paid_tries)

    def _once(
        self,
        request: ModelRequest,
        sent: Mapping[str, JsonValue],
        deadline: float,
        on_part: OnPart | None,
    ) -> ModelReply | Failed:
        began = self._clock.monotonic()
        assembly = Assembly(on_part)
        watch = Watch(self._client.deadlines)
        fault = None
        with watch.until(deadline - began):
            try:
                fault = self._stream(request, sent, deadline - began, assembly)
            except openai.APIStatusError as error:
                body = error.response.text
                fault = status_fault(error.status_code, error.response.headers, body, self._settings, self._clock.now())
            except openai.APIConnectionError as error:
                cause = error.__cause__ or error
                if watch.answered:
                    fault = self._fault(f"broke off its reply ({type(cause).__name__})", True)
                else:
                    why = f"{type(cause).__name__}: {cause}"
                    fault = self._fault(f"cannot be reached ({why}); check model.base_url", True)
            except (httpx2.HTTPError, httpx2.StreamError, OSError) as error:
                fault = self._fault(f"broke off its reply ({type(error).__name__})", True)
            except openai.APIError as error:
                frame: JsonValue = {"error": error.body if isinstance(error.body, str | dict) else error.message}
                fault = stream_fault(frame, self._settings)
            except (json.JSONDecodeError, UnicodeDecodeError):
                fault = self._fault("sent a frame that is not JSON", True, ModelFault.MALFORMED)
            except ReplyTooLong:
                fault = self._unusable(f"did not end its reply within {REPLY_CHARACTERS:,} characters")
            except TooManyCalls as error:
                fault = self._unusable(f"sent {error} in one reply")
        seconds = self._clock.monotonic() - began
        if watch.expired or seconds >= deadline - began:
            fault = self._fault(f"did not finish its reply within {request.seconds:.0f} s", False, ModelFault.DEADLINE)
        if fault is None and not assembly.had_choices:
            fault = self._fault("answered without a choice", True, ModelFault.MALFORMED)
        if fault is None and not assembly.complete:
            fault = self._fault("cut its reply off: neither a reason for its end nor the usage came", True)
        if fault is None or watch.answered:
            usage = assembly.usage(request, self.name, self._prices, seconds)
        else:
            usage = Usage(requests=1, seconds=seconds)
        if fault is not None:
            return Failed(fault, usage, assembly.streamed)
        return ModelReply(
            assembly.text,
            assembly.reasoning,
            assembly.model or self.name,
            assembly.finish_reason,
            usage,
            assembly.tool_calls(request),
            self._provider,
        )

    def _stream(
        self,
        request: ModelRequest,
        sent: Mapping[str, JsonValue],
        seconds: float,
        assembly: Assembly,
    ) -> Fault | None:
        messages = list(messages_of(request, with_reasoning="reasoning_content" in sent))
        headers = {"accept-encoding": "identity"}  # a small body that unpacks to a huge one would pass the cap
        if request.conversation:
            headers["x-grok-conv-id"] = request.conversation
        with self._client.sdk().chat.completions.create(
            model=self.name,
            messages=cast("list[ChatCompletionMessageParam]", messages),
            stream=True,
            timeout=timeout_of(seconds),
            extra_body=body_of(sent),
            extra_headers=headers,
        ) as stream:
            kind = stream.response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind != "text/event-stream":
                return self._whole(stream.response.read(), kind, assembly)
            for chunk in stream:
                frame = _json(chunk)
                if (fault := stream_fault(frame, self._settings)) is not None:
                    return fault
                assembly.add(frame)
        return None

    def _whole(self, body: bytes, kind: str, assembly: Assembly) -> Fault | None:
        """An answer that is no stream: the whole reply in one piece from a server that cannot stream, or no reply."""
        try:
            frame = json.loads(body)
        except (ValueError, RecursionError):
            return self._unusable(
                f"answered with {kind or 'no content type'!r} and not a model's reply; check its path"
            )
        if (fault := stream_fault(frame, self._settings)) is not None:
            return fault
        assembly.add(frame, "message")
        return None

    def _fault(self, what: str, retryable: bool, kind: ModelFault = ModelFault.UNAVAILABLE) -> Fault:
        return Fault(f"{place(self._settings)} {redact(what, self._settings)}", retryable, kind=kind)

    def _unusable(self, what: str) -> Fault:
        """What the same request would only bring once more."""
        return self._fault(what, False, ModelFault.MALFORMED)


def _json(chunk: object) -> JsonValue:
    """A frame as it came: the SDK makes its model of anything, unchecked, and hands on what is no object."""
    return cast("JsonValue", chunk.to_dict(warnings=False)) if isinstance(chunk, openai.BaseModel) else None
