"""Write tiny GGUF files: one that is only a header, and one that the engine runs and whose every word is known.

The second is a table of successors instead of a trained model. Its embeddings are one-hot, attention and feed-forward
are zero, so the output matrix alone says which token follows the last one. After any prompt it answers SCRIPT.
"""

from pathlib import Path

SCRIPT = ("Hel", "lo", " from", " a", " tiny", " mod", "el", ".")
ANSWER = "".join(SCRIPT)


def write_header_only(path: Path, size: int = 4096) -> Path:
    """Write what looks like a GGUF file of `size` bytes until somebody loads it. Needs no package."""
    path.write_bytes((b"GGUF\x03\x00\x00\x00" + bytes(range(256)) * (size // 256 + 1))[:size])
    return path


def write_scripted_model(path: Path) -> Path:
    """Write a model that llama.cpp loads in milliseconds and that always answers ANSWER."""
    import gguf  # type: ignore[import-not-found, unused-ignore]
    import numpy as np  # type: ignore[import-not-found, unused-ignore]

    letters = _byte_letters()
    pieces = [bytes([byte]) for byte in range(256)] + [text.encode() for text in SCRIPT if len(text) > 1]
    vocabulary = ["".join(letters[byte] for byte in piece) for piece in pieces] + ["<|im_start|>", "<|im_end|>"]
    start, end = len(pieces), len(pieces) + 1
    size = len(vocabulary)
    width = -(-size // 64) * 64

    scores = np.full((size, width), -100.0, dtype=np.float32)  # [next token, last token]
    chain = [pieces.index(text.encode()) for text in SCRIPT]
    for last, following in zip([pieces.index(b"\n"), *chain], [*chain, end], strict=True):
        scores[following, last] = 100.0  # a prompt ends with the newline after "assistant"
    scores /= np.sqrt(width)  # what the normalisation makes of a one-hot vector

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(8192)
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


def _byte_letters() -> dict[int, str]:
    """The printable characters that stand for bytes in a byte-level vocabulary (as in GPT-2's encoder)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + rank) for rank, byte in enumerate(others)}
