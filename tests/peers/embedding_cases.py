"""Embeddings and rerankers of sentence-transformers itself beside graft: `graft embed` and `graft predict` from the folders that the library writes.

embedding_cases.py GRAFT WORK [--write-goldens FOLDER] [PATTERN...]
Prints the largest difference in each setting; exit code 1 where one is larger than 1e-6, or graft refuses what it should not.
--write-goldens: what agrees goes to FOLDER, which program/embed_test.cpp reads without Python.
To add a case: a line in CASES, or CROSS_ENCODERS.
"""
import argparse, json, os, shutil, subprocess, sys, warnings
warnings.filterwarnings("ignore")
import peft, torch, transformers
from sentence_transformers import CrossEncoder, SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling, Transformer, WordWeights
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)
LIMIT = 1e-6
TEXTS = ["a cat sat", "The Cat, the DOG!", "", " the dog  sat on a mat", "on on on on on on on on on on on on on on on on on on on on", "Zebra!", "a"]
WORDS = "the a cat dog sat on mat The Cat dog query passage : , ! z ##e ##b ##r ##a ##s Z".split()
SHAPE = dict(hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12)


def wordpiece(folder, lower=True):
    pieces = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    with open(folder + "/vocab.txt", "w") as file:
        file.writelines(p + "\n" for p in pieces)
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lower)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return transformers.BertTokenizerFast(tokenizer_object=tokenizer, do_lower_case=lower, model_max_length=16), len(pieces)


def byte_level(folder):
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *letters, "at", "Ġc", "Ġcat", "he", "<mask>"]
    tokenizer = Tokenizer(models.BPE({p: i for i, p in enumerate(pieces)}, [("a", "t"), ("Ġ", "c"), ("Ġc", "at"), ("h", "e")], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return transformers.RobertaTokenizerFast(tokenizer_object=tokenizer, model_max_length=24), len(pieces)


def encoder(folder, kind, lower=True):
    """A random encoder in FOLDER, with its tokenizer."""
    os.makedirs(folder)
    tokenizer, size = wordpiece(folder, lower) if kind != "roberta" else byte_level(folder)
    config = {
        "bert": lambda: transformers.BertConfig(vocab_size=size, max_position_embeddings=40, **SHAPE),
        "roberta": lambda: transformers.RobertaConfig(vocab_size=size, max_position_embeddings=42, type_vocab_size=1, **SHAPE),
        "distilbert": lambda: transformers.DistilBertConfig(vocab_size=size, dim=8, n_layers=2, n_heads=2, hidden_dim=12, max_position_embeddings=40),
        "modernbert": lambda: transformers.ModernBertConfig(vocab_size=size, max_position_embeddings=40, local_attention=4, global_attn_every_n_layers=2, pad_token_id=0,
                                                            bos_token_id=2, cls_token_id=2, eos_token_id=3, sep_token_id=3, **SHAPE),
    }[kind]()
    model = transformers.AutoModel.from_config(config)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn_like(p))
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def edit(path, change):
    with open(path) as file:
        about = json.load(file)
    about = change(about) or about
    with open(path, "w") as file:
        json.dump(about, file, indent=2)


def dense(width, out, act=torch.nn.Tanh, **more):
    module = Dense(width, out, activation_function=act(), **more)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return module


def layer_norm(width):
    module = LayerNorm(width)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn_like(p))
    return module


def saved(kind, modules, older=False, prompts=None, default=None, safe=True, lower=True, do_lower_case=False, length=None):
    """Writes a SentenceTransformer of MODULES around a random encoder to OUT."""
    def save(out):
        encoder(out + "_encoder", kind, lower)
        first = Transformer(out + "_encoder", max_seq_length=length, do_lower_case=do_lower_case)
        model = SentenceTransformer(modules=[first, *modules()], prompts=prompts, default_prompt_name=default, device="cpu")
        model.save(out, safe_serialization=safe, create_model_card=False)
        if do_lower_case or length:
            edit(out + "/sentence_bert_config.json", lambda about: {**about, "do_lower_case": do_lower_case, **({"max_seq_length": length} if length else {})})
            if do_lower_case:  # the library writes its tokenizer as it has changed it
                shutil.copy(out + "_encoder/tokenizer.json", out)
        if older:
            as_before(out)
    return save


def as_before(out):
    """As version 2 wrote it: the encoder in a folder, the older names."""
    os.makedirs(out + "/0_Transformer")
    for name in os.listdir(out):
        if os.path.isfile(f"{out}/{name}") and name not in ("modules.json", "config_sentence_transformers.json"):
            shutil.move(f"{out}/{name}", f"{out}/0_Transformer/{name}")
    names = {"Transformer": "0_Transformer"}
    edit(out + "/modules.json", lambda all: [{**m, "path": names.get(m["type"].split(".")[-1], m["path"]), "type": "sentence_transformers.models." + m["type"].split(".")[-1]} for m in all])
    edit(out + "/0_Transformer/sentence_bert_config.json", lambda about: {"max_seq_length": 12, "do_lower_case": False})
    mode = json.load(open(out + "/1_Pooling/config.json"))["pooling_mode"]
    edit(out + "/1_Pooling/config.json", lambda about: {"word_embedding_dimension": 8, **{f"pooling_mode_{n}": m in mode for n, m in (
        ("cls_token", "cls"), ("mean_tokens", "mean"), ("max_tokens", "max"), ("mean_sqrt_len_tokens", "mean_sqrt_len_tokens"))}})
    os.remove(out + "/config_sentence_transformers.json")


def alone(kind):
    return lambda out: encoder(out, kind)


def with_lora(save):
    """... and updates of it in OUT/lora."""
    def both(out):
        save(out)
        model = peft.get_peft_model(transformers.AutoModel.from_pretrained(out), peft.LoraConfig(r=2, lora_alpha=3, target_modules=["query", "value"]))
        with torch.no_grad():
            for name, p in model.named_parameters():
                if "lora_" in name:
                    p.add_(0.3 * torch.randn_like(p))
        model.save_pretrained(out + "/lora")
    return both


CASES = [  # name, what writes it, flags of graft embed, what encode is told, what graft is to say where it refuses
    ("mean, normalized", saved("bert", lambda: [Pooling(8, "mean"), Normalize()]), [], {}, ""),
    ("cls, max and mean, dense", saved("bert", lambda: [Pooling(8, ("cls", "max", "mean")), dense(24, 6), Normalize()]), [], {}, ""),
    ("the other poolings, dense without bias, layer norm", saved("distilbert", lambda: [
        Pooling(8, ("mean_sqrt_len_tokens", "weightedmean", "lasttoken")), dense(24, 5, torch.nn.GELU, bias=False), layer_norm(5)], safe=False), [], {}, ""),
    ("as version 2 wrote it", saved("bert", lambda: [Pooling(8, ("cls", "mean")), dense(16, 4, torch.nn.Identity)], older=True), [], {}, ""),
    ("without modules", alone("roberta"), [], {}, ""),
    ("a prompt that is not pooled", saved("bert", lambda: [Pooling(8, "weightedmean", include_prompt=False)], prompts={"query": "query: ", "passage": "passage : "}, default="query"), [], {}, ""),
    ("a prompt by name, dense with the input added", saved("roberta", lambda: [Pooling(8, "cls"), dense(8, 8, torch.nn.SiLU, use_residual=True), dense(8, 3, torch.nn.ReLU, use_residual=True)],
                                                         prompts={"q": "a cat: "}), ["--prompt_name", "q"], {"prompt_name": "q"}, ""),
    ("lower case before a cased vocabulary", saved("bert", lambda: [Pooling(8, "max")], lower=False, do_lower_case=True, length=9), [], {}, ""),
    ("first dimensions, normalized", saved("bert", lambda: [Pooling(8, "mean")]), ["--dimensions", "5", "--normalize"], {"truncate_dim": 5, "normalize_embeddings": True}, ""),
    ("lora around the encoder", with_lora(saved("bert", lambda: [Pooling(8, ("mean", "max"))])), ["--adapter_path", "{out}/lora"], {}, ""),
    ("modernbert, normalized", saved("modernbert", lambda: [Pooling(8, "mean"), Normalize()]), [], {}, ""),
    ("word weights", saved("bert", lambda: [WordWeights(["a"], {"a": 2.0}), Pooling(8, "mean")]), [], {}, "has a module WordWeights between Transformer and Pooling"),
]
QUERY, CANDIDATES = "the cat", ["a cat sat", "on a mat", "The DOG", "query", "on a mat sat the dog " * 4]


def reranker(labels, activation=None, older=None, **fields):
    def save(out):
        encoder(out + "_encoder", "bert")
        model = CrossEncoder(out + "_encoder", num_labels=labels, device="cpu", **({"activation_fn": activation()} if activation else {}))
        with torch.no_grad():
            for name, p in model.model.named_parameters():
                if "classifier" in name:
                    p.add_(torch.randn_like(p))
        model.save(out)
        if older is not None:  # as before version 4
            os.remove(out + "/config_sentence_transformers.json")
            edit(out + "/config.json", lambda about: {**{k: v for k, v in about.items() if k != "sentence_transformers"}, **older})
    return save


CROSS_ENCODERS = [
    ("one score", reranker(1), ""),
    ("one score as it is", reranker(1, torch.nn.Identity), ""),
    ("one score, before version 4", reranker(1, older={"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}), ""),
    ("three classes", reranker(3), ""),
    ("tanh", reranker(1, torch.nn.Tanh), "says that torch.nn.modules.activation.Tanh comes behind its logits"),
]


def graft(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.stdout, (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1] if done.returncode else ""


def write_golden(goldens, name, out, about):
    target = os.path.join(goldens, "".join(c if c.isalnum() else "_" for c in name).strip("_"))
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(out, target, ignore=shutil.ignore_patterns("*.md"))
    for where, _, names in os.walk(target):
        for own in (n for n in names if n.endswith(".json")):
            with open(os.path.join(where, own)) as file:
                text = file.read()
            with open(os.path.join(where, own), "w") as file:
                file.write(text.replace(os.path.dirname(out) + "/", ""))
    with open(target + "/case.json", "w") as file:
        json.dump(about, file)
        file.write("\n")


def check_embedding(given, number, name, save, flags, told, refused):
    torch.manual_seed(number)
    out = os.path.join(given.work, f"embedding_{number}")
    save(out)
    rows = out + ".jsonl"
    with open(rows, "w") as file:
        file.writelines(json.dumps({"text_a": t}) + "\n" for t in TEXTS)
    text, error = graft(given.graft, "embed", "--model_path", out, "--input", rows, "--precision", "f32", *(f.format(out=out) for f in flags))
    if error or refused:
        return refused != "" and refused in error, "refused: " + error.replace(given.work, "")
    ours = torch.tensor([json.loads(line)["embedding"] for line in text.splitlines()], dtype=torch.float64)
    model = SentenceTransformer(out, device="cpu")
    if os.path.isdir(out + "/lora"):
        model[0].model = peft.PeftModel.from_pretrained(model[0].model, out + "/lora").eval()
    theirs = torch.stack([torch.tensor(model.encode(t, **told)).double() for t in TEXTS])  # one by one: without padding
    worst = (ours - theirs).abs().max().item() if ours.shape == theirs.shape else float("nan")
    if given.write_goldens and worst <= LIMIT:
        write_golden(given.write_goldens, name, out, {"flags": flags, "texts": TEXTS, "embeddings": theirs.float().tolist()})
    return worst <= LIMIT, f"{worst:.1e}"


def check_reranker(given, number, name, save, refused):
    torch.manual_seed(number)
    out = os.path.join(given.work, f"reranker_{number}")
    save(out)
    rows = out + ".tsv"
    with open(rows, "w") as file:
        file.writelines(["text_a\ttext_b\n", *(f"{QUERY}\t{c}\n" for c in CANDIDATES)])
    text, error = graft(given.graft, "predict", "--model_path", out, "--input", rows, "--precision", "f32")
    if error or refused:
        return refused != "" and refused in error, "refused: " + error.replace(given.work, "")
    model = CrossEncoder(out, device="cpu")
    theirs = torch.stack([torch.tensor(model.predict([(QUERY, c)])[0]).double().reshape(-1) for c in CANDIDATES])
    if theirs.shape[1] > 1:
        theirs = torch.softmax(theirs, -1)  # graft's table has probabilities
    ours = torch.tensor([[float(x) for x in line.split("\t")[-theirs.shape[1]:]] for line in text.splitlines()[1:]], dtype=torch.float64)
    worst = (ours - theirs).abs().max().item()
    if given.write_goldens and worst <= LIMIT:
        write_golden(given.write_goldens, "reranker " + name, out, {"query": QUERY, "candidates": CANDIDATES, "answers": theirs.tolist()})
    return worst <= LIMIT, f"{worst:.1e}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("graft")
    parser.add_argument("work")
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--write-goldens")
    given = parser.parse_intermixed_args()
    good = True
    everything = [("embedding: " + c[0], check_embedding, i, c) for i, c in enumerate(CASES)] + [("reranker: " + c[0], check_reranker, i, c) for i, c in enumerate(CROSS_ENCODERS)]
    for name, check, number, case in everything:
        if given.patterns and not any(p in name for p in given.patterns):
            continue
        agrees, text = check(given, number, *case)
        good = good and agrees
        print(f"{name:70}  {text}{'' if agrees else '  DIFFERS'}", flush=True)
    sys.exit(0 if good else 1)
