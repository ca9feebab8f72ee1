"""Tags for words as transformers computes them beside graft: *ForTokenClassification of every family, and the pipeline's spans; entities as seqeval counts them.

token_cases.py GRAFT WORK [--write-goldens FOLDER]
Prints the largest difference of a family; exit code 1 where one is larger than 1e-5, or a tag or a span is another.
--write-goldens: small ones go to FOLDER, which predict/token_classification_test.cpp and train/entities_test.cpp read without Python.
To add a family: a line in FAMILIES.
"""
import argparse, json, os, random, shutil, subprocess, sys, warnings
warnings.filterwarnings("ignore")
import torch, transformers
from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from models import randomized

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
LIMIT = 1e-5
WORDS = "Anna lives in Straßburg , near the Ill . Café U.S. bank don't ( EU ) zzz".split()
TEXTS = ["Anna lives in Straßburg, near the Ill.", "Café in the U.S. bank", "  the (EU)  don't  ", "zzz 日本 Anna", "Annalives", " ", "Anna\tlives\u00a0in the EU"]
ROWS = [WORDS[:9], ["Anna"], ["U.S.", "bank", "don't", "(", "EU", ")"], ["the", "\u200b", "Ill"], WORDS * 2]
BIO, BIOES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], ["O", "B-X", "I-X", "E-X", "S-X", "S-Y"]
SHAPE = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12)
LENGTH = 24  # tokens that a row is cut at


def around(first, last):
    return processors.TemplateProcessing(single=f"{first[0]} $A {last[0]}", pair=f"{first[0]} $A {last[0]} $B {last[0]}", special_tokens=[first, last])


def wordpiece(kind):
    letters = sorted({c for word in WORDS + ["lives"] for c in word})
    pieces = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Anna", "lives", "the", "in", *letters, *("##" + c for c in letters), "##nna", "##burg"]))
    def make():
        t = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
        t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=False), pre_tokenizers.BertPreTokenizer()
        t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
        return kind(tokenizer_object=t, do_lower_case=False, model_max_length=LENGTH)
    return make(), len(pieces), make


def byte_level(kind):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters, "nn", "Ġt", "Ġth", "Ġthe", "li", "<mask>"]
    def make(space=True):
        t = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [("n", "n"), ("Ġ", "t"), ("Ġt", "h"), ("Ġth", "e"), ("l", "i")], unk_token="<unk>"))
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=space)
        t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=space)
        return kind(tokenizer_object=t, model_max_length=LENGTH, add_prefix_space=space, **(dict(cls_token="<s>", sep_token="</s>", pad_token="<pad>", unk_token="<unk>", mask_token="<mask>")
                                                                                             if kind is transformers.PreTrainedTokenizerFast else {}))
    return make(), len(pieces), make


def unigram(kind, names=("<s>", "<pad>", "</s>", "<unk>")):
    def make():
        letters = sorted({c for word in WORDS for c in word})
        pieces = [(n, 0.0) for n in names] + [("▁Anna", -2.0), ("▁the", -2.0), ("▁", -3.0), ("nna", -4.0), *((c, -5.0) for c in letters)]
        t = Tokenizer(models.Unigram(pieces, unk_id=3))
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]) if kind is None else pre_tokenizers.Metaspace()
        first, last = (("<s>", 0), ("</s>", 2)) if names[0] == "<s>" else (("[CLS]", 0), ("[SEP]", 2))
        t.post_processor = around(first, last)
        t.add_special_tokens(["<mask>" if names[0] == "<s>" else "[MASK]"])
        return transformers.PreTrainedTokenizerFast(tokenizer_object=t, model_max_length=LENGTH, cls_token=first[0], sep_token=last[0], pad_token=names[1], unk_token=names[3])
    made = make()
    return made, len(made), make


def usual(config, **more):
    return lambda size, labels: config(vocab_size=size, max_position_embeddings=40, id2label=dict(enumerate(labels)), label2id={t: i for i, t in enumerate(labels)}, **{**SHAPE, **more})


FAMILIES = {  # name -> tokenizer, configuration, labels
    "bert": (lambda: wordpiece(transformers.BertTokenizerFast), usual(transformers.BertConfig), BIO),
    "bert, bioes": (lambda: wordpiece(transformers.BertTokenizerFast), usual(transformers.BertConfig), BIOES),
    "roberta": (lambda: byte_level(transformers.RobertaTokenizerFast), usual(transformers.RobertaConfig, type_vocab_size=1), BIO),
    "xlm-roberta": (lambda: unigram(None), usual(transformers.XLMRobertaConfig, type_vocab_size=1), BIO),
    "camembert": (lambda: unigram(None), usual(transformers.CamembertConfig, type_vocab_size=1), ["NOUN", "VERB", "X"]),
    "distilbert": (lambda: wordpiece(transformers.DistilBertTokenizerFast),
                   usual(transformers.DistilBertConfig, dim=8, n_layers=2, n_heads=2, hidden_dim=12), BIO),
    "electra": (lambda: wordpiece(transformers.ElectraTokenizerFast), usual(transformers.ElectraConfig, embedding_size=6), BIO),
    "mpnet": (lambda: wordpiece(transformers.BertTokenizerFast), usual(transformers.MPNetConfig, pad_token_id=0), BIO),
    "deberta-v2": (lambda: unigram(2, ("[CLS]", "[PAD]", "[SEP]", "[UNK]")), usual(transformers.DebertaV2Config, relative_attention=True, share_att_key=True, position_buckets=4, max_relative_positions=-1,
                   pos_att_type=["p2c", "c2p"], norm_rel_ebd="layer_norm", position_biased_input=False, pad_token_id=1), BIO),
    "modernbert": (lambda: byte_level(transformers.PreTrainedTokenizerFast), usual(transformers.ModernBertConfig, local_attention=4, global_attn_every_n_layers=2, pad_token_id=1, bos_token_id=0,
                   eos_token_id=2, cls_token_id=0, sep_token_id=2), BIO),
}


def first_pieces(encoding):
    """Of each word that has one, its number and that of its first token."""
    found = {}
    for token, word in enumerate(encoding.word_ids()):
        if word is not None:
            found.setdefault(word, token)
    return found


def as_seqeval_groups(words):
    """In place of the pipeline's grouping, which knows no E and S: the entities of seqeval, O for what is none."""
    tags = [w["entity"] for w in words]
    return [dict(entity_group=kind, score=sum(float(w["score"]) for w in words[a:b + 1]) / (b + 1 - a), start=words[a]["start"], end=words[b]["end"]) for kind, a, b in get_entities(tags)]


def reference(folder):
    tokenizer, model = transformers.AutoTokenizer.from_pretrained(folder), transformers.AutoModelForTokenClassification.from_pretrained(folder).eval()
    find = transformers.pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy="first")
    if "S-X" in model.config.label2id:
        find.group_entities = as_seqeval_groups
    texts, rows = [], []
    for text in TEXTS:
        spans = [dict(label=s["entity_group"], start=int(s["start"]), end=int(s["end"]), score=float(s["score"])) for s in find(text)]
        for s in spans:
            found = text[s["start"]:s["end"]]
            s["start"], s["end"] = s["start"] + len(found) - len(found.lstrip()), s["end"] - len(found) + len(found.rstrip())
            s["text"] = found.strip()
        spans = [s for s in spans if s["text"]]
        texts.append(dict(text=text, spans=spans))
    for words in ROWS:
        encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt", truncation=True)
        with torch.no_grad():
            logits = model(**{k: v for k, v in encoding.items() if k != "token_type_ids" or "bert" in model.config.model_type}).logits[0]
        firsts = first_pieces(encoding)
        tags = [model.config.id2label[int(logits[firsts[w]].argmax())] if w in firsts else None for w in range(len(words))]
        rows.append(dict(tokens=words, tags=tags, logits=[logits[token].tolist() for token in firsts.values()]))
    return dict(texts=texts, rows=rows)


def graft_lines(graft, folder, rows):
    path = os.path.join(folder, "rows.jsonl")
    with open(path, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run([graft, "predict", "--model_path", folder, "--input", path, "--precision", "f32", "--max_seq_length", str(LENGTH)], capture_output=True, text=True)
    os.remove(path)
    if done.returncode:
        raise AssertionError(done.stderr.strip())
    return [json.loads(line) for line in done.stdout.splitlines()]


def difference(expected, spans):
    """The largest difference of a score."""
    short = lambda all: [(s["label"], s["start"], s["end"], s["text"]) for s in all]
    if short(expected) != short(spans):
        raise AssertionError(f"spans {short(spans)}, expected {short(expected)}")
    return max([0.0, *(abs(a["score"] - b["score"]) for a, b in zip(expected, spans))])


def check_family(name, graft, work, goldens):
    make, config, labels = FAMILIES[name]
    tokenizer, size, _ = make()
    torch.manual_seed(1)
    folder = os.path.join(work, name.replace(", ", "_"))
    randomized(transformers.AutoModelForTokenClassification.from_config(config(size, labels)), 3).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    expected = reference(folder)
    texts = graft_lines(graft, folder, [dict(text_a=t["text"]) for t in expected["texts"]])
    worst = max(difference(t["spans"], line["spans"]) for t, line in zip(expected["texts"], texts))
    for row, line in zip(expected["rows"], graft_lines(graft, folder, [dict(tokens=r["tokens"]) for r in expected["rows"]])):
        if line["tags"] != row["tags"]:
            raise AssertionError(f"tags {line['tags']}, expected {row['tags']}")
    if goldens:
        target = os.path.join(goldens, os.path.basename(folder))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)
        with open(os.path.join(target, "case.json"), "w") as file:
            json.dump(expected, file, ensure_ascii=False)
            file.write("\n")
    return worst


def entity_cases(count):
    """Random tags, also such as no scheme allows, and what seqeval says of them."""
    dice, cases = random.Random(1), []
    for number in range(count):
        schemes = [["O", "B-X", "I-X", "B-Y", "I-Y"], ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"], ["O", "I-X", "B-X", "I-Y-Z"], ["O", "B", "I"], ["O", "B-X", "I-X", "E", "S-"]]
        labels = schemes[number % len(schemes)]
        wanted = [[dice.choice(labels) for _ in range(dice.randrange(1, 9))] for _ in range(dice.randrange(1, 5))]
        predicted = [[tag if dice.random() < 0.6 else dice.choice(labels) for tag in row] for row in wanted]
        cases.append(dict(labels=labels, wanted=wanted, predicted=predicted, acc=accuracy_score(wanted, predicted),
                          report=json.loads(json.dumps(classification_report(wanted, predicted, output_dict=True, zero_division=0), default=float))))
    return cases


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("graft")
    arguments.add_argument("work")
    arguments.add_argument("--write-goldens", default="")
    given = arguments.parse_args()
    bad = 0
    for name in FAMILIES:
        try:
            worst = check_family(name, given.graft, given.work, given.write_goldens)
            bad += not worst <= LIMIT
            print(f"tokens: {name:14} {worst:.1e}" + ("" if worst <= LIMIT else "  DIFFERS"), flush=True)
        except Exception as failure:
            bad += 1
            print(f"tokens: {name:14} FAILED {type(failure).__name__}: {str(failure)[:600]}", flush=True)
    if given.write_goldens:
        with open(os.path.join(given.write_goldens, "entities.json"), "w") as file:
            json.dump(entity_cases(60), file)
            file.write("\n")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
