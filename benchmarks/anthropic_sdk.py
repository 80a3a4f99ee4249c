"""The obvious ten lines on the anthropic SDK, as in openai_sdk.py."""

import sys

from anthropic import Anthropic

messages = [{"role": "user", "content": sys.stdin.read()}]
for event in Anthropic().messages.create(model=sys.argv[1], max_tokens=1_000_000, messages=messages, stream=True):
    if event.type == "content_block_delta" and event.delta.type == "text_delta":
        sys.stdout.write(event.delta.text)
        sys.stdout.flush()
