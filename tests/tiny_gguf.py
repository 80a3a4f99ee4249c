"""Write tiny GGUF files: one that is only a header, and one that the engine runs and whose every word is known.

The second is a table of successors instead of a trained model. Its embeddings are one-hot, attention and feed-forward
are zero, so the output matrix alone says which token follows the last one. What the chat template in the file puts at
the end of the prompt therefore decides what the model says:

* a newline: ANSWER, in the pieces of SCRIPT;
* a vertical tab, where the last message has the words "for ever": LINE again and again, until a limit ends it;
* a tab, where tools are offered: a call, and in it the smallest JSON that the engine's grammar lets pass, every string
  being "Paris". An answer schema is filled in the same way.
"""

from itertools import pairwise
from pathlib import Path

# A piece that is not ASCII is written a byte at a time: the engine must wait for the whole character.
SCRIPT = ("Hel", "lo", " from", " a", " tiny", " mod", "el", ": caf", "é", ", ", "日", " & ", "🦊", ".")
ANSWER = "".join(SCRIPT)
ENDLESS = ("and", " so", " on\n")
LINE = "".join(ENDLESS)
CALL = "<tool_call>\n"
ARGUMENT = "Paris"
# Where a grammar leaves the choice, the earlier byte wins: close what is open, else begin a short value.
_PREFERRED = '}]<",:{[7t0'

_TEMPLATE = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' + (call.function.arguments | tojson) }}
{{- '}\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- for tool in tools or [] %}{{- tool | tojson }}{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n' }}
{%- if tools and messages[-1].role != 'tool' %}{{- '\t' }}
{%- elif 'for ever' in (messages[-1].content or '') %}{{- "\v" }}
{%- endif %}
{%- endif %}
"""


def write_header_only(path: Path, size: int = 4096) -> Path:
    """Write what looks like a GGUF file of `size` bytes until somebody loads it. Needs no package."""
    path.write_bytes((b"GGUF\x03\x00\x00\x00" + bytes(range(256)) * (size // 256 + 1))[:size])
    return path


def write_scripted_model(path: Path) -> Path:
    """Write a model that llama.cpp loads in milliseconds and whose answers are known."""
    import gguf  # type: ignore[import-not-found, unused-ignore]
    import numpy as np  # type: ignore[import-not-found, unused-ignore]

    letters = _byte_letters()
    script = [token for piece in SCRIPT for token in _tokens(piece)]
    longer = [text.encode() for text in (*ENDLESS, CALL)]
    pieces = [bytes([byte]) for byte in range(256)] + [token for token in (*script, *longer) if len(token) > 1]
    vocabulary = ["".join(letters[byte] for byte in piece) for piece in pieces] + ["<|im_start|>", "<|im_end|>"]
    start, end = len(pieces), len(pieces) + 1
    size = len(vocabulary)
    width = -(-size // 64) * 64

    scores = np.full((size, width), -400.0, dtype=np.float32)  # [next token, last token]
    for rank, letter in enumerate(_PREFERRED):
        scores[ord(letter)] = -5.0 * rank
    scores[end] = -250.0

    def say(*tokens: bytes) -> None:
        for last, following in pairwise(tokens):
            scores[pieces.index(following), pieces.index(last)] = 100.0

    say(b"\n", *script)
    say(b"\v", *longer[:-1], longer[0])
    say(b"\t", longer[-1])
    say(*_bytes(f'"{ARGUMENT}'))
    say(*_bytes(f'{ARGUMENT[-1]}"'))
    scores[end, [pieces.index(script[-1]), ord(">")]] = 100.0  # ">" ends a call
    scores /= np.sqrt(width)  # what the normalisation makes of a one-hot vector

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(65536)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(64)
    writer.add_head_count(8)
    writer.add_head_count_kv(8)
    writer.add_rope_dimension_count(width // 8)
    writer.add_layer_norm_rms_eps(1e-9)
    writer.add_vocab_size(size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([gguf.TokenType.NORMAL] * len(pieces) + [gguf.TokenType.CONTROL] * 2)
    writer.add_token_merges([f"{letters[0]} {letters[0]}"])  # an empty list of merges is refused
    writer.add_bos_token_id(start)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)
    writer.add_tensor("token_embd.weight", np.eye(size, width, dtype=np.float32))
    writer.add_tensor("output_norm.weight", np.ones(width, dtype=np.float32))
    writer.add_tensor("output.weight", scores)
    for name in ("attn_norm", "ffn_norm"):
        writer.add_tensor(f"blk.0.{name}.weight", np.ones(width, dtype=np.float32))
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros((width, width), dtype=np.float16))
    for name, shape in (("ffn_gate", (64, width)), ("ffn_up", (64, width)), ("ffn_down", (width, 64))):
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokens(piece: str) -> list[bytes]:
    return [piece.encode()] if piece.isascii() else _bytes(piece)


def _bytes(text: str) -> list[bytes]:
    return [bytes([byte]) for byte in text.encode()]


def _byte_letters() -> dict[int, str]:
    """The printable characters that stand for bytes in a byte-level vocabulary (as in GPT-2's encoder)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + rank) for rank, byte in enumerate(others)}
