"""Tags for words as the libraries compute them beside graft: transformers' *ForTokenClassification of every family, and its pipeline's spans; PEFT's TOKEN_CLS and AdapterHub's
tagging heads around them, both ways; entities as seqeval counts them.

token_cases.py GRAFT WORK [--write-goldens FOLDER]
Prints the largest difference of a case; exit code 1 where one is larger than 1e-5, or a tag or a span is another.
--write-goldens: small ones go to FOLDER, which predict/token_classification_test.cpp and train/entities_test.cpp read without Python.
To add a family: a line in FAMILIES; what is put around one: a line in AROUND.
"""
import argparse, json, logging, os, random, shutil, subprocess, sys, warnings, zlib
warnings.filterwarnings("ignore")
import peft, torch, transformers
from seqeval.metrics import accuracy_score, classification_report
from seqeval.metrics.sequence_labeling import get_entities
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from models import HAS_ADAPTERS, randomized
from peers import randomize

if HAS_ADAPTERS:
    import adapters

transformers.logging.set_verbosity_error()
logging.disable(logging.WARNING)
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


def tokenizer_of(folder):
    """Without what transformers 4 gives models that do not take it."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    if transformers.AutoConfig.from_pretrained(folder).model_type in ("mpnet", "modernbert"):
        tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return tokenizer


def word_logits(model, tokenizer, words):
    """word -> the logits of its first token, of those that have one."""
    encoding = tokenizer(words, is_split_into_words=True, return_tensors="pt", truncation=True)
    with torch.no_grad():
        logits = model(**encoding).logits[0]
    return {word: logits[token] for word, token in first_pieces(encoding).items()}


def reference(folder):
    tokenizer, model = tokenizer_of(folder), transformers.AutoModelForTokenClassification.from_pretrained(folder).eval()
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
        logits = word_logits(model, tokenizer, words)
        tags = [model.config.id2label[int(logits[w].argmax())] if w in logits else None for w in range(len(words))]
        rows.append(dict(tokens=words, tags=tags, logits=[one.tolist() for one in logits.values()]))
    return dict(texts=texts, rows=rows)


def run_graft(graft, *arguments):
    done = subprocess.run([graft, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise AssertionError(done.stderr.strip().splitlines()[-1])
    return done.stdout


def write_rows(path, rows):
    with open(path, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def graft_lines(graft, folder, rows, *more):
    path = os.path.join(folder, "rows.jsonl")
    write_rows(path, rows)
    lines = run_graft(graft, "predict", "--model_path", folder, "--input", path, "--precision", "f32", "--max_seq_length", str(LENGTH), *more)
    os.remove(path)
    return [json.loads(line) for line in lines.splitlines()]


def difference(expected, spans):
    """The largest difference of a score."""
    short = lambda all: [(s["label"], s["start"], s["end"], s["text"]) for s in all]
    if short(expected) != short(spans):
        raise AssertionError(f"spans {short(spans)}, expected {short(expected)}")
    return max([0.0, *(abs(a["score"] - b["score"]) for a, b in zip(expected, spans))])


def write_family(name, folder, labels=None):
    make, config, own = FAMILIES[name]
    tokenizer, size, _ = make()
    torch.manual_seed(1)
    randomized(transformers.AutoModelForTokenClassification.from_config(config(size, labels or own)), 3).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def check_family(name, graft, work, goldens):
    folder = os.path.join(work, name.replace(", ", "_"))
    write_family(name, folder)
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


BEGINS = ["B-X", "B-Y", "B-Z"]  # so that each word is a span, which graft gives a score


class Peft:
    """A tuner of PEFT around the model with a head; without TASK the model's own head answers."""
    form = "peft"

    def __init__(self, task="TOKEN_CLS", **options):
        self.config = lambda: peft.LoraConfig(task_type=task, r=2, lora_alpha=3, **options)
        self.own_head = task is None

    def model(self, folder):
        about = transformers.AutoConfig.from_pretrained(folder)
        about.id2label, about.label2id = dict(enumerate(BEGINS)), {tag: i for i, tag in enumerate(BEGINS)}
        torch.manual_seed(1)  # a head of another size is made anew: what is saved beside an update has to bring it
        return transformers.AutoModelForTokenClassification.from_pretrained(folder, config=about, ignore_mismatched_sizes=True)

    def save(self, folder, out):
        model = peft.get_peft_model(self.model(folder), self.config())
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        randomize(model, lambda n: n in trained)
        model.save_pretrained(out)
        return model

    def load(self, folder, out):
        return peft.PeftModel.from_pretrained(self.model(folder), out)


class Hub:
    """An adapter of AdapterHub's library with a tagging head, in an AdapterModel."""
    form, own_head = "adapterhub", False

    def __init__(self, config, **head):
        self.config, self.head = config, head

    def save(self, folder, out):
        model = adapters.AutoAdapterModel.from_pretrained(folder)
        model.add_adapter("task", config=self.config)
        model.add_tagging_head("task", num_labels=len(BEGINS), id2label=dict(enumerate(BEGINS)), **self.head)
        model.set_active_adapters("task")
        randomize(model, lambda n: ".task." in n)
        model.save_adapter(out, "task")
        return model

    def load(self, folder, out):
        model = adapters.AutoAdapterModel.from_pretrained(folder)
        model.load_adapter(out, set_active=True)
        return model


class OwnHead(Hub):
    """The same around *ForTokenClassification, whose own head answers, saved WITH it or not."""
    own_head = True

    def __init__(self, config, with_head):
        super().__init__(config)
        self.with_head = with_head

    def save(self, folder, out):
        model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
        adapters.init(model)
        model.add_adapter("task", config=self.config)
        model.set_active_adapters("task")
        randomize(model, lambda n: ".task." in n or (self.with_head and n.startswith("classifier.")))
        model.save_adapter(out, "task", with_head=self.with_head)
        return model

    def load(self, folder, out):
        if self.with_head:  # graft writes heads for AdapterModels
            return super().load(folder, out)
        model = transformers.AutoModelForTokenClassification.from_pretrained(folder)
        adapters.init(model)
        model.load_adapter(out, set_active=True)
        return model


TARGETS = {"distilbert": ["q_lin", "v_lin"], "mpnet": ["attn.q", "attn.v"], "deberta-v2": ["query_proj", "value_proj"], "modernbert": ["Wqkv", "Wo"]}
AROUND = {f"peft: lora, {family}": (family, Peft(target_modules=TARGETS.get(family, ["query", "value"]))) for family in FAMILIES if family not in ("bert, bioes", "camembert")}
AROUND["peft: dora, bert"] = ("bert", Peft(use_dora=True, target_modules=["query", "dense"]))
AROUND["peft: lora, the model's head, roberta"] = ("roberta", Peft(task=None, target_modules=["query", "value"]))
FLAGS = {"peft": ["--adapter_method", "lora", "--lora_r", "2"], "adapterhub": ["--adapter_size", "3", "--adapter_layer_norm", "frozen"]}
if HAS_ADAPTERS:
    AROUND.update({f"adapterhub: seq_bn, {family}": (family, Hub(adapters.SeqBnConfig(reduction_factor=2))) for family in ("bert", "roberta", "xlm-roberta", "distilbert", "electra", "deberta-v2")})
    for layers, family in ((2, "roberta"), (2, "bert"), (3, "bert")):
        AROUND[f"adapterhub: double_seq_bn, a head of {layers} layers, {family}"] = (family, Hub(adapters.DoubleSeqBnConfig(reduction_factor=2), layers=layers))
    AROUND["adapterhub: lora, bert"] = ("bert", Hub(adapters.LoRAConfig(r=2, alpha=3)))
    AROUND["adapterhub: the model's head, trained, bert"] = ("bert", OwnHead(adapters.SeqBnConfig(reduction_factor=2), True))
    AROUND["adapterhub: the model's head, roberta"] = ("roberta", OwnHead(adapters.SeqBnConfig(reduction_factor=2), False))


def word_difference(model, folder, lines):
    """Between the tags of MODEL, with their probabilities, and what graft says of ROWS in LINES."""
    model.eval()
    worst, compared, tokenizer = 0.0, 0, tokenizer_of(folder)
    for words, line in zip(ROWS, lines):
        logits = word_logits(model, tokenizer, words)
        tags = [BEGINS[int(logits[w].argmax())] if w in logits else None for w in range(len(words))]
        if line["tags"] != tags:
            raise AssertionError(f"tags {line['tags']}, expected {tags}")
        scores = {w: torch.softmax(logits[w], -1).max().item() for w in logits}
        for span in line["spans"]:
            own = [scores[w] for w in range(span["start"], span["end"]) if w in scores]
            worst = max(worst, abs(span["score"] - sum(own) / len(own)))
            compared += 1
    if compared < len(ROWS):
        raise AssertionError("hardly a span: random numbers that say O compare nothing")
    return worst


def check_around(name, graft, work):
    """Yields (DIRECTION, DIFFERENCE)."""
    family, kind = AROUND[name]
    place = os.path.join(work, "".join(c if c.isalnum() else "_" for c in name))
    folder, theirs, ours, back, run = (os.path.join(place, one) for one in ("model", "theirs", "ours", "back", "run"))
    write_family(family, folder, BEGINS if kind.own_head else None)
    torch.manual_seed(zlib.crc32(name.encode()))
    model = kind.save(folder, theirs)
    rows = [dict(tokens=words) for words in ROWS]
    labels = ["--labels", ",".join(BEGINS)] if kind.form == "peft" and not kind.own_head else []
    run_graft(graft, "convert-adapter", "--adapter_path", theirs, "--output_path", ours, "--to", "graft", "--model_path", folder, *labels)
    yield "theirs -> graft", word_difference(model, folder, graft_lines(graft, folder, rows, "--adapter_path", ours if labels else theirs))
    run_graft(graft, "convert-adapter", "--adapter_path", ours, "--output_path", back, "--to", kind.form, "--model_path", folder)
    yield "graft -> theirs", word_difference(kind.load(folder, back), folder, graft_lines(graft, folder, rows, "--adapter_path", ours))
    if not name.endswith((": lora, " + family, ": seq_bn, " + family)):
        return
    write_rows(place + "/train.jsonl", [dict(tokens=words, tags=[BEGINS[(i + w) % 3] for w in range(len(words))]) for i, words in enumerate(ROWS)])
    with open(place + "/task.json", "w") as file:
        json.dump(dict(task="custom", name="made_up", kind="token_classification", labels=BEGINS, paths=dict(train=place + "/train.jsonl", val=place + "/train.jsonl")), file)
    run_graft(graft, "train-adapter", "--model_path", folder, "--task_config_path", place + "/task.json", "--output_dir", run, "--do_train", "--do_save", "--max_steps", "10",
              "--max_seq_length", str(LENGTH), "--learning_rate", "0.03", "--precision", "f32", *FLAGS[kind.form])
    run_graft(graft, "convert-adapter", "--adapter_path", run, "--output_path", run + "_back", "--to", kind.form, "--model_path", folder)
    yield "trained -> theirs", word_difference(kind.load(folder, run + "_back"), folder, graft_lines(graft, folder, rows, "--adapter_path", run))


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
    bad, counts = 0, []
    for name in [*FAMILIES, *AROUND]:
        label = name
        try:
            found = check_around(name, given.graft, given.work) if name in AROUND else [("transformers", check_family(name, given.graft, given.work, given.write_goldens))]
            for direction, worst in found:
                counts.append(worst)
                bad += not worst <= LIMIT
                print(f"tokens: {label:58} {direction:18} {worst:.1e}" + ("" if worst <= LIMIT else "  DIFFERS"), flush=True)
                label = ""
        except Exception as failure:
            bad += 1
            print(f"tokens: {label:58} FAILED {type(failure).__name__}: {str(failure)[:600]}", flush=True)
    print(f"tokens: {len(FAMILIES) + len(AROUND)} settings, {len(counts)} answers, the worst differs by {max(counts):.1e}; {bad} differ or fail")
    if given.write_goldens:
        with open(os.path.join(given.write_goldens, "entities.json"), "w") as file:
            json.dump(entity_cases(60), file)
            file.write("\n")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
