#!/usr/bin/env python3
"""Makes tokenizer.json, to which tests/star/tokenizer.cpp holds the program: what Hugging Face's library learns from a
text, the tokens that it makes of it, and the words into which it parts texts by each regular expression.

    tokenizer.py                      writes tokenizer.json beside this file
    tokenizer.py check T.json STAR    loads T.json with that library too, and compares its tokens with the program's

It needs the package `tokenizers` (0.20 or later).
"""
import json
import os
import random
import subprocess
import sys
import tempfile

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB = 700
END = "<|endoftext|>"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
WORDS = {
    "gpt2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "llama3": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                       pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
    "qwen2": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"),
                                      pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]),
}
# What the regular expressions tell apart, and what lies beside it.
PIECES = ["a", "Z", "é", "ß", "ñandú", "слово", "中文", "日本語", "ไทย", "עברית", "العربية", "ǅ", "ʰ", "ª", "ﬁ", "ſ", "K", "0", "7", "1234567",
          "½", "Ⅷ", "٣", "²", "一", "'", "'s", "'S", "'ll", "'LL", "'Re", "'ſ", "’s", "'x", ".", ",", "--", "…", "€", "🙂", "👩‍🚀", "\u0301", "_",
          " ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\x85", "\u00a0", "\u2003", "\u2028", "\u200b", "\u3000", "\ufeff", "\x00", "\x1c",
          "\x7f", "\U0001d49c", "\U00020000", "<", "|", ">", END]


def corpus():
    """Text in which pairs tie, tokens come about in two ways, and every kind of character occurs."""
    rng = random.Random(19)
    syllables = ["ba", "ne", "ki", "lo", "mu", "str", "ing", "tion", "er", "ab", "abc", "bc", "the", "an", "é", "я"]
    words = ["".join(rng.choice(syllables) for _ in range(rng.randint(1, 4))) for _ in range(400)]
    lines = []
    for _ in range(220):
        line = " ".join(rng.choice(words[:rng.choice((20, 100, 400))]) for _ in range(rng.randint(1, 12)))
        if rng.random() < 0.3:
            line += "".join(rng.choice(PIECES[:-1]) for _ in range(rng.randint(1, 5)))
        if rng.random() < 0.2:
            line = " " * rng.randint(1, 9) + line.replace(" ", str(rng.randint(0, 99999)), 1)
        lines.append(line)
    return "\n".join(lines) + "\n"


def mixed(rng, most):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(0, most)))


def learnt(text, vocab):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = WORDS["gpt2"]
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[END], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def words_of(pre_tokenizer, text):
    """The lengths in bytes of its words."""
    return [len(word) for word, _ in pre_tokenizer.pre_tokenize_str(text)]


def write():
    rng = random.Random(7)
    text = corpus()
    tokenizer = learnt(text, VOCAB)
    texts = [mixed(rng, 12) for _ in range(400)]
    golden = {
        "corpus": text,
        "vocab": VOCAB,
        "tokenizer": json.loads(tokenizer.to_str()),
        "corpus_tokens": tokenizer.encode(text, add_special_tokens=False).ids,
        "texts": [{"text": t, "tokens": tokenizer.encode(t, add_special_tokens=False).ids,
                   "words": {name: words_of(w, t) for name, w in WORDS.items()}} for t in texts],
    }
    with open(os.path.join(HERE, "tokenizer.json"), "w", encoding="ascii") as f:
        json.dump(golden, f, separators=(",", ":"))
        f.write("\n")


def check(path, star):
    tokenizer = Tokenizer.from_file(path)
    rng = random.Random(8)
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "text")
        for _ in range(50):
            text = mixed(rng, 400) + corpus()[:rng.randint(0, 4000)]
            with open(name, "w", encoding="utf-8", newline="") as f:
                f.write(text)
            done = subprocess.run([star, "tokenizer", "encode", path, "--text-file", name], capture_output=True, check=True)
            ours = [int(t) for t in done.stdout.decode().split(",")] if done.stdout.strip() else []
            theirs = tokenizer.encode(text, add_special_tokens=False).ids
            assert ours == theirs, text
    print("the same tokens")


if __name__ == "__main__":
    check(*sys.argv[2:]) if sys.argv[1:2] == ["check"] else write()
