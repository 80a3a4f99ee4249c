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


def test_provider_and_url_are_fields_and_headers_are_hashes_of_their_values() -> None:
    found = fields()
    assert (found["provider"], found["url"]) == ("openai", "https://x/v1")
    # What earlier releases stored is compared with it: `printf b | sha256sum`.
    assert found["header.openai-beta"] == "1 bytes, sha256 3e23e8160039594a"


def test_names_of_more_than_64_characters_are_hashed() -> None:
    assert fields(model="m" * 64)["model"] == "m" * 64
    assert fields(model="m" * 65)["model"].startswith("65 bytes, sha256 ")


def test_what_lies_on_the_fourth_level_stands_and_what_lies_deeper_is_hashed_in_any_order() -> None:
    found = fields(a={"b": {"c": {"d": 1}}}, x={"y": {"z": {"e": {"q": 1, "p": None}}}}, lists=[[[[1]]]])
    assert found["a.b.c.d"] == 1
    assert found["x.y.z.e"].startswith("16 bytes, ")
    assert found["lists.0.0.0"].startswith("3 bytes, ")
    assert found == fields(a={"b": {"c": {"d": 1}}}, x={"y": {"z": {"e": {"p": None, "q": 1}}}}, lists=[[[[1]]]])


def test_nothing_and_truths_stand() -> None:
    found = fields(seed=None, logprobs=False, empty=[], none={})
    assert (found["seed"], found["logprobs"]) == (None, False)
    assert found["empty"].startswith("2 bytes, ")
    assert found["none"].startswith("2 bytes, ")


def test_half_a_character_is_no_obstacle() -> None:
    assert fields_of("openai", "u", {"x": "a\ud800"}, b"{}")["header.x"].startswith("2 bytes, ")
