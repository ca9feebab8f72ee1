"""Tokenizers of the tokenizers library, sentencepiece and transformers beside graft: ids, and where each token stands, of lines made to be hard.

tokenizer_cases.py GRAFT WORK [--lines N] [--text FILE] [--write-goldens FOLDER] [PATTERN...]
Trains a vocabulary for every way of cutting text that graft has, and prints in how many lines the two differ; exit code 1 where they do.
--write-goldens: small ones, and what the library makes of some lines, go to FOLDER, which text/tokenizer_goldens_test.cpp reads.
"""
import argparse, io, json, os, random, shutil, subprocess, sys, unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
import sentencepiece

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
WORDS = ("The quick brown foxes jumped over 12 lazy dogs, didn't they? It's 3.14 or 1,000 new words; lower, lowest, low! Straße, café, naïve, "
         "Ελλάδα, Россия, 世界, 日本語, 한국어, हिन्दी, עברית, عربى, ไทย e-mail end.").split()
SENTENCES = [" ".join(WORDS[(i * 7 + j * (i % 5 + 1)) % len(WORDS)] for j in range(9)) for i in range(400)]
# What a character map of sentencepiece may hold, small.
RULES = {"\u00a0": " ", "\u3000": " ", "\u2581": " ", "\t": " ", "\x10": "", "\u200b": "", "ﬁ": "fi", "²": "2", "a\u0300": "à", "e\u0301": "é",
         "Ａ": "A", "㎒": "MHz", "①": "1", "…": "...", "ｱ": "ア", "A": "a", "Å": "å"}
# Cases that the goldens do without, since others hold what is in them.
UNWRITTEN = ["bert-cased", "bert-accents", "camembert", "deberta", "xlm-roberta", "unigram-steps", "wordpiece-nfkc"]


class Lines:
    """Lines of all scripts, marks in any order, emoji, controls, normal forms, and special tokens among them."""

    def __init__(self, seed, words):
        self.random, self.words = random.Random(seed), words
        known = [chr(c) for c in range(0x20, 0x30000) if not 0xD800 <= c < 0xE000 and unicodedata.category(chr(c)) != "Cn"]
        blocks = {}
        for c in known:
            blocks.setdefault(ord(c) >> 7, []).append(c)
        self.blocks = list(blocks.values())
        self.marks = [c for c in known if unicodedata.category(c)[0] == "M"]
        self.combining = [c for c in known if unicodedata.combining(c)]
        self.compatible = [c for c in known if unicodedata.normalize("NFKC", c) != c]
        self.spaces = [c for c in known if c.isspace()] + list("\t\x0b\x0c\x85\x1c\u200b\u200e\ufeff\u2581   ")
        self.controls = [chr(c) for c in [*range(1, 10), *range(11, 32), 127, 128, 0x8F, 0x9F, 0xAD, 0x200C, 0x200D, 0xFFFD, 0xFFFF, 0x10FFFF, 0xE000]]
        self.emoji = ["👩‍👩‍👧", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "1️⃣", "❤️", "🇦", "☃︎"]
        self.special = ["<s>", "</s>", "<mask>", "[MASK]", "[CLS]", "[SEP]", "[UNK]", "<unk>", "<new>", "NewTok", "newtok", "word", "  ", "İ", "ß", "ǅ", "ﬁ", "㎒", "ﷺ",
                        "가", "각", "ế", "\u212b", "½", "ⅷ", "Ⓐ"]

    def any(self):
        while True:
            c = self.random.randrange(0x20, 0x110000 if self.random.random() < 0.1 else 0x20000)
            if not 0xD800 <= c < 0xE000:
                return chr(c)

    def some(self, characters, most):
        return "".join(self.random.choices(characters, k=self.random.randrange(1, most)))

    def part(self):
        r = self.random.random()
        if r < 0.22: return self.some(self.random.choice(self.blocks), 8)
        if r < 0.40: return self.random.choice(self.words)
        if r < 0.50: return "".join(self.random.choice("aeinoAEIOüß") + self.some(self.marks if self.random.random() < 0.5 else self.combining, 4) for _ in range(3))
        if r < 0.58: return self.some(self.compatible, 4)
        if r < 0.66: return self.some(self.spaces, 4)
        if r < 0.70: return self.some(self.controls, 3)
        if r < 0.76: return self.random.choice(self.emoji)
        if r < 0.84: return self.random.choice(self.special)
        if r < 0.88: return "".join(self.any() for _ in range(2))
        if r < 0.94: return str(self.random.randrange(10 ** self.random.randrange(1, 8))) + self.random.choice(["", ".", ",", "'s", "'ll", "-", "/"])
        return unicodedata.normalize(self.random.choice(["NFC", "NFD", "NFKC", "NFKD"]), self.some(self.random.choice(self.blocks), 6))

    def line(self):
        text = "".join(self.part() + self.random.choice(["", " "]) for _ in range(self.random.randrange(1, 14))).replace("\n", "")
        return "x" + text + "." if text.startswith("\ufeff") or text.endswith("\r") else text  # the program takes them for what they are at the ends


def save(folder, tokenizer, config=None, change=None):
    os.makedirs(folder)
    form = json.loads(tokenizer.to_str())
    if change: change(form)
    with open(os.path.join(folder, "tokenizer.json"), "w") as file:
        json.dump(form, file, ensure_ascii=False, separators=(",", ":"))
    if config:
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as file:
            json.dump(config, file)


def train_sentencepiece(sentences, size, **settings):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(sentences), model_writer=model, vocab_size=size, model_type="unigram",
                                             character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, **settings)
    return model.getvalue()


def around(first, last):
    return processors.TemplateProcessing(single=f"{first[0]} $A {last[0]}", pair=f"{first[0]} $A {last[0]} $B {last[0]}", special_tokens=[first, last])


def make(work, sentences, size, rules):
    """Writes a folder a case; returns the file that the library reads, where that is another."""
    references = {}
    at = lambda name: os.path.join(work, name)
    # SentencePiece's files, read as transformers converts them
    from transformers import CamembertTokenizerFast, DebertaV2TokenizerFast, XLMRobertaTokenizerFast
    control = dict(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]",
                   user_defined_symbols=["<new>", "word"])
    for name, kind, settings, config in [
            ("xlm-roberta-spm", XLMRobertaTokenizerFast, rules, {}), ("camembert-spm", CamembertTokenizerFast, dict(normalization_rule_name="identity"), {}),
            ("deberta-spm", DebertaV2TokenizerFast, {**control, **rules}, dict(do_lower_case=True, split_by_punct=True))]:
        file = os.path.join(at(name), "spm.model" if kind is DebertaV2TokenizerFast else "sentencepiece.bpe.model")
        os.makedirs(at(name))
        with open(file, "wb") as out: out.write(train_sentencepiece(sentences, size, **settings))
        with open(os.path.join(at(name), "tokenizer_config.json"), "w") as out: json.dump({"tokenizer_class": kind.__name__[:-4], **config}, out)
        fast = kind(file, **config)
        references[name] = fast._tokenizer
        save(at(name[:-4]), fast._tokenizer, {"tokenizer_class": kind.__name__})
    charsmap = json.loads(references["xlm-roberta-spm"].to_str())["normalizer"]["normalizers"][0]

    # Unigram of the tokenizers library
    names = ["<s>", "<pad>", "</s>", "<unk>"]
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    t.train_from_iterator(sentences, trainers.UnigramTrainer(vocab_size=size, special_tokens=names, unk_token="<unk>", show_progress=False))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.add_tokens([AddedToken("NewTok", single_word=True), AddedToken("<new>", rstrip=True)])
    t.post_processor = around(("<s>", 0), ("</s>", 2))
    def map_first(form): form["normalizer"] = {"type": "Sequence", "normalizers": [charsmap, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
    save(at("unigram-older"), t, None, map_first)
    def in_bytes(form):
        map_first(form)
        count = len(form["model"]["vocab"])
        form["model"]["vocab"] += [[f"<0x{i:02X}>", -20.0] for i in range(256)]
        for token in form["added_tokens"]: token["id"] += 256 if token["id"] >= count else 0
        form["model"]["byte_fallback"], form["pre_tokenizer"] = True, {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False}
    save(at("unigram-bytes"), t, None, in_bytes)
    def many_steps(form):
        form["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "Strip", "strip_left": True, "strip_right": True},
                              {"type": "Replace", "pattern": {"String": "e"}, "content": ""}, {"type": "Prepend", "prepend": "▁x"}]}
        form["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "MergedWithNext"},
                                 {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"}]}
    save(at("unigram-steps"), t, None, many_steps)

    # BPE of characters
    n, p = normalizers, pre_tokenizers
    for name, normal, cutter, settings in [
            ("bpe-nfd", n.Sequence([n.NFD(), n.StripAccents(), n.Lowercase()]), p.Whitespace(), dict(fuse_unk=True)),
            ("bpe-nfkd", n.Sequence([n.NFKD(), n.Lowercase()]), p.Sequence([p.Punctuation("contiguous"), p.Digits(False), p.WhitespaceSplit()]), dict(end_of_word_suffix="</w>")),
            ("bpe-prefix", n.NFC(), p.Sequence([p.Split(Regex(r"\s+"), "merged_with_previous"), p.Punctuation("removed")]), dict(continuing_subword_prefix="##")),
            ("bpe-gpt2", None, p.Sequence([p.Split(Regex(GPT2), "isolated"), p.ByteLevel(add_prefix_space=True, use_regex=False)]), {}),
            ("bpe-split", n.Lowercase(), p.Sequence([p.Split("a", "merged_with_next", invert=True), p.Split(Regex(r"\s+"), "contiguous")]), dict(fuse_unk=True))]:
        t = Tokenizer(models.BPE(unk_token="<unk>", **settings))
        if normal: t.normalizer = normal
        t.pre_tokenizer = cutter
        settings.pop("fuse_unk", None)
        alphabet = dict(initial_alphabet=p.ByteLevel.alphabet()) if "gpt" in name else dict(limit_alphabet=size // 4)
        t.train_from_iterator(sentences, trainers.BpeTrainer(vocab_size=size, special_tokens=names, show_progress=False, **alphabet, **settings))
        t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
        t.add_tokens([AddedToken("NewTok", single_word=True)])
        t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), around(("<s>", 0), ("</s>", 2))])
        save(at(name), t)
        if name != "bpe-nfd": continue
        def with_bytes(form):
            pieces, form["model"]["byte_fallback"] = form["model"]["vocab"], True
            count = len(pieces)
            for i in range(256): pieces[f"<0x{i:02X}>"] = count + i
            for token in form["added_tokens"]: token["id"] += 256 if token["id"] >= count else 0
        save(at("bpe-bytes"), t, None, with_bytes)

    # byte-level BPE: RoBERTa's and ModernBERT's
    for name, space in [("roberta", False), ("roberta-space", True), ("modernbert", False)]:
        modern = name == "modernbert"
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = p.ByteLevel(add_prefix_space=space)
        if modern: t.normalizer = n.NFC()
        special = ["[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"] if modern else names + ["<mask>"]
        t.train_from_iterator(sentences, trainers.BpeTrainer(vocab_size=size + 256, special_tokens=special, show_progress=False, initial_alphabet=p.ByteLevel.alphabet()))
        t.add_special_tokens([AddedToken(special[4], lstrip=True)])
        t.add_tokens([AddedToken(" " * k, normalized=True) for k in range(2, 6)] if modern else ["NewTok"])
        t.post_processor = around(("[CLS]", 0), ("[SEP]", 1)) if modern else processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, space)
        save(at(name), t)

    # WordPiece and word-level
    bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for name, normal, cutter in [
            ("bert", n.BertNormalizer(lowercase=True), p.BertPreTokenizer()), ("bert-cased", n.BertNormalizer(lowercase=False), p.BertPreTokenizer()),
            ("bert-accents", n.BertNormalizer(lowercase=True, strip_accents=False, handle_chinese_chars=False), p.BertPreTokenizer()),
            ("mpnet", n.BertNormalizer(lowercase=True), p.BertPreTokenizer()),
            ("wordpiece-nfkc", n.Sequence([n.NFKC(), n.BertNormalizer(lowercase=True, clean_text=False)]), p.Sequence([p.WhitespaceSplit(), p.Punctuation("isolated"), p.Digits(True)])),
            ("word-level", n.Sequence([n.NFD(), n.StripAccents(), n.Lowercase()]), p.Whitespace())]:
        t = Tokenizer(models.WordLevel(unk_token="[UNK]") if name == "word-level" else models.WordPiece(unk_token="[UNK]"))
        t.normalizer, t.pre_tokenizer = normal, cutter
        special = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"] if name == "mpnet" else bert
        kind = trainers.WordLevelTrainer if name == "word-level" else trainers.WordPieceTrainer
        t.train_from_iterator(sentences, kind(vocab_size=size, special_tokens=special, show_progress=False, **({} if name == "word-level" else dict(limit_alphabet=size // 4))))
        if name == "mpnet":
            t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
            t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True)
            save(at(name), t, dict(tokenizer_class="MPNetTokenizer", cls_token="<s>", sep_token="</s>", pad_token="<pad>"))
        else:
            t.add_tokens(["NewTok", AddedToken("<new>", normalized=False, rstrip=True)])
            t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
            save(at(name), t)
    return references


def answers(tokenizer, lines):
    return [" ".join(f"{i}:{a}-{b}" for i, (a, b) in zip(e.ids, e.offsets)) for e in tokenizer.encode_batch(lines, add_special_tokens=False)]


def ours(graft, folder, lines, *flags):
    done = subprocess.run([graft, "tokenize", "--special_tokens", *flags, "--model_tokenizer_path", folder], input=("\n".join(lines) + "\n").encode(), capture_output=True)
    if done.returncode: return done.stderr.decode().strip().splitlines()[-1:]
    return done.stdout.decode().split("\n")[:-1]


def main():
    parser = argparse.ArgumentParser()
    for name in ("graft", "work"): parser.add_argument(name)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--text")
    parser.add_argument("--write-goldens")
    parser.add_argument("patterns", nargs="*")
    a = parser.parse_args()
    small = a.write_goldens is not None
    sentences = SENTENCES
    if a.text and not small:
        with open(a.text, encoding="utf-8") as file: text = [line for line in file.read().split("\n") if line]
        sentences = text[:12000]
    maker = Lines(11, [word for line in sentences for word in line.split()])
    lines = [maker.line() for _ in range(10 if small else a.lines)] + (text if a.text and not small else [])
    rules = dict(normalization_rule_name="nmt_nfkc")
    if small:
        file = os.path.join(a.work, "rules.tsv")
        with open(file, "w") as out:
            for old, new in RULES.items(): out.write(" ".join(f"{ord(c):X}" for c in old) + "\t" + " ".join(f"{ord(c):X}" for c in new) + "\n")
        rules = dict(normalization_rule_tsv=file)
    work = a.write_goldens if small else os.path.join(a.work, "tokenizers")
    if os.path.isdir(work): shutil.rmtree(work)
    os.makedirs(work)
    references = make(work, sentences, 110 if small else 4000, rules)
    if small:
        for name in UNWRITTEN: shutil.rmtree(os.path.join(work, name))
        with open(os.path.join(work, "lines.txt"), "w", newline="") as out: out.write("\n".join(lines) + "\n")
    differ = 0
    for name in sorted(os.listdir(work)):
        folder = os.path.join(work, name)
        if not os.path.isdir(folder) or (a.patterns and not any(p in name for p in a.patterns)): continue
        wanted = answers(references.get(name) or Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), lines)
        places, ids = ours(a.graft, folder, lines, "--offsets"), ours(a.graft, folder, lines)
        short = [" ".join(token.split(":")[0] for token in line.split()) for line in wanted]
        bad = len(lines) if len(places) != len(lines) else sum(x != y or i != s for x, y, i, s in zip(places, wanted, ids, short))
        differ += bad
        print(f"{'tokenizer: ' + name:44} {bad} of {len(lines)} lines differ" + (": " + places[0] if len(places) == 1 and bad else ""))
        if small:
            with open(os.path.join(folder, "expected.txt"), "w") as out: out.write("\n".join(wanted) + "\n")
    return differ > 0


if __name__ == "__main__":
    sys.exit(main())
