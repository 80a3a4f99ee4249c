"""The obvious ten lines on the openai SDK: what a user would write instead of fennec."""

import sys

from openai import OpenAI

stream = OpenAI().chat.completions.create(
    model=sys.argv[1], messages=[{"role": "user", "content": sys.stdin.read()}], stream=True
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        sys.stdout.write(chunk.choices[0].delta.content)
        sys.stdout.flush()
