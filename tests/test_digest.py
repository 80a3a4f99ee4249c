"""A digest says in what two requests differ, and shows no text of theirs."""

import json

from fennec_cli.digest import differences, fields_of

BODY = {
    "model": "gpt-5.4-mini",
    "temperature": 0.5,
    "stream": True,
    "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "a secret plan"}],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"properties": {"a": {"type": "x"}}}}}],
}


def fields(**changes: object) -> dict[str, object]:
    return fields_of("openai", "https://x/v1", {"accept": "*", "openai-beta": "b"}, json.dumps(BODY | changes).encode())


def test_numbers_and_names_stand_and_texts_do_not() -> None:
    found = fields()
    assert found["temperature"] == 0.5
    assert found["model"] == "gpt-5.4-mini"
    assert found["messages.1.role"] == "user"
    assert found["messages.1.content"].startswith("13 bytes, sha256 ")
    assert "secret" not in json.dumps(found)
    assert "stream" not in found
    assert "header.accept" not in found
    assert "header.openai-beta" in found


def test_what_differs_is_named() -> None:
    assert differences(fields(), fields()) == []
    assert differences(fields(), fields(temperature=0.6, seed=None)) == ["temperature", "seed"]
    other = [BODY["messages"][0], {"role": "user", "content": "another"}]  # type: ignore[index]
    assert differences(fields(), fields(messages=other)) == ["messages.1.content"]


def test_deep_values_are_compared_as_a_whole() -> None:
    assert not any(path.count(".") > 4 for path in fields())
    changed = json.loads(json.dumps(BODY["tools"]))
    changed[0]["function"]["parameters"]["properties"]["a"]["type"] = "y"
    assert differences(fields(), fields(tools=changed)) == ["tools.0.function.parameters"]
