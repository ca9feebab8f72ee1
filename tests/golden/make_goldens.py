#!/usr/bin/python3
"""Writes the goldens beside it (layers/ and model/): what PyTorch's autograd says, in float64. README.md says how and with what."""
import json, math, os
import numpy as np, torch, torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
F64 = torch.float64


def write_tensors(path, tensors, metadata=None):
    kinds = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64"}
    header, blob = {"__metadata__": metadata} if metadata else {}, b""
    for name, tensor in tensors.items():
        data = tensor.detach().contiguous().numpy().tobytes()
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + blob)


def read_tensors(path):
    kinds = {"F64": np.float64, "F32": np.float32, "I64": np.int64}
    blob = open(path, "rb").read()
    start = 8 + int.from_bytes(blob[:8], "little")
    return {name: torch.from_numpy(np.frombuffer(blob[start + e["data_offsets"][0]:start + e["data_offsets"][1]], kinds[e["dtype"]])
                                   .reshape(e["shape"]).copy())
            for name, e in json.loads(blob[8:start]).items() if name != "__metadata__"}


# ---- the formulas; p is a dictionary of parameters, `name` the prefix of the ones to use

def linear(p, name, x):
    return F.linear(x, p[name + ".weight"], p[name + ".bias"])


def layer_norm(p, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p[name + ".bias"], eps)


def attention(p, name, x, mask, heads, scale=1.0):
    """x (B, T, H), mask (B, T) with 1 at real tokens -> context (B, T, H); projections with lora_A and lora_B get their update, scaled"""
    batch, length, hidden = x.shape

    def project(part):
        y = linear(p, name + part, x)
        return y + low_rank(p, name + part, x, scale) if f"{name}{part}.lora_A.weight" in p else y
    q, k, v = (project(part).view(batch, length, heads, -1).transpose(1, 2) for part in ("query", "key", "value"))
    scores = q @ k.transpose(2, 3) / math.sqrt(hidden // heads) + (1 - mask[:, None, None, :].to(F64)) * -10000.0
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, hidden)


def update(p, name, t, act=F.gelu):
    return linear(p, name + ".up_project", act(linear(p, name + ".down_project", t)))


def adapter(p, name, h):
    return h + update(p, name, h)


def behind_norm(p, adapter_name, norm_name, h, x, eps):
    """Pfeiffer: the adapter (ReLU) reads the LayerNorm's output, its own output goes through the same LayerNorm again"""
    return layer_norm(p, norm_name, update(p, adapter_name, layer_norm(p, norm_name, h + x, eps), F.relu) + h + x, eps)


def low_rank(p, name, x, scale):
    return scale * F.linear(F.linear(x, p[name + ".lora_A.weight"]), p[name + ".lora_B.weight"])


def mix(values, mode):
    return {"softmax": lambda v: v.softmax(0), "gates": torch.sigmoid, "weights": lambda v: v}[mode](values)


def multi_adapter(p, name, h, x, values, names, mode, flex, eps):
    """names: the adapters mixed (`pfeiffer` behind the LayerNorm, the others before), and `base`; those without parameters here have no adapter"""
    c = 0
    for weight, one in zip(mix(values, mode), names):
        own, norm = f"{name}adapter_dict.{one}", f"{name}layer_norm_dict.{one}"
        has_adapter = own + ".up_project.weight" in p
        if one == "pfeiffer" and has_adapter:
            c = c + weight * behind_norm(p, own, norm, h, x, eps)
        else:
            c = c + weight * layer_norm(p, norm, (adapter(p, own, h) if has_adapter else h) + x, eps)
    return layer_norm(p, name + "layer_norm_dict.flex", adapter(p, name + "adapter_dict.flex", c) + x, eps) if flex else c


def positions(ids, pad):
    """RoBERTa: pad + 1, + 2, ... over the real tokens. BERT: 0, 1, ..."""
    if pad is None:
        return torch.arange(ids.shape[1]).expand_as(ids)
    real = (ids != pad).long()
    return torch.cumsum(real, -1) * real + pad


class Model:
    """RoBERTa or BERT for sequence classification with plain, adapter, multi-adapter or Pfeiffer sites, or low-rank updates."""

    def __init__(self, config, parameters, kind="plain", names=(), mode="softmax", flex=False, sets=1, full=False, scale=1.0):
        self.config, self.kind, self.names, self.mode, self.flex, self.full, self.scale = config, kind, list(names), mode, flex, full, scale
        self.family = config["model_type"]
        layers = config["num_hidden_layers"]
        per_set = layers // (layers if sets == -1 else sets)
        self.weights_of = [f"{self.family}.encoder.layer.{n // per_set * per_set}.attention.output.multi_adapter.weighted_sum.weights" for n in range(layers)]
        self.p = {name: value.to(F64).clone() for name, value in parameters.items()}
        self.trained = [name for name in self.p if self.trains(name)]
        for name in self.trained:
            self.p[name].requires_grad_(True)

    def trains(self, name):
        if self.kind == "plain" or self.full or name.startswith(("classifier.", "bert.pooler.")):
            return True
        if self.kind in ("single", "pfeiffer"):
            return ".adapter." in name or ".LayerNorm." in name
        return "weighted_sum" in name or "_dict.flex." in name or ".lora_" in name

    def site(self, layer, name, h, x):
        prefix, eps = f"{self.family}.encoder.layer.{layer}.{name}.", self.config["layer_norm_eps"]
        if self.kind == "multi":
            return multi_adapter(self.p, prefix + "multi_adapter.", h, x, self.p[self.weights_of[layer]], self.names, self.mode, self.flex, eps)
        if self.kind == "pfeiffer" and name == "output":
            return behind_norm(self.p, prefix + "adapter", prefix + "LayerNorm", h, x, eps)
        return layer_norm(self.p, prefix + "LayerNorm", (adapter(self.p, prefix + "adapter", h) if self.kind == "single" else h) + x, eps)

    def hidden(self, ids, mask, types):
        p, e = self.p, self.family + ".embeddings."
        place = positions(ids, self.config["pad_token_id"] if self.family == "roberta" else None)
        x = p[e + "word_embeddings.weight"][ids] + p[e + "position_embeddings.weight"][place] + p[e + "token_type_embeddings.weight"][types]
        x = layer_norm(p, e + "LayerNorm", x, self.config["layer_norm_eps"])
        for n in range(self.config["num_hidden_layers"]):
            layer = f"{self.family}.encoder.layer.{n}."
            context = attention(p, layer + "attention.self.", x, mask, self.config["num_attention_heads"], self.scale)
            x = self.site(n, "attention.output", linear(p, layer + "attention.output.dense", context), x)
            inner = F.gelu(linear(p, layer + "intermediate.dense", x))
            x = self.site(n, "output", linear(p, layer + "output.dense", inner), x)
        return x

    def logits(self, ids, mask, types):
        dense, out = ("bert.pooler.dense", "classifier") if self.family == "bert" else ("classifier.dense", "classifier.out_proj")
        return linear(self.p, out, torch.tanh(linear(self.p, dense, self.hidden(ids, mask, types)[:, 0])))

    def weights_log(self):
        log = {}
        for n, name in enumerate(self.weights_of):
            for site in (2 * n, 2 * n + 1):
                log[f"layer_{site:02d}"] = dict(zip(self.names, mix(self.p[name].detach(), self.mode).tolist()))
        return log


def schedule(k, total, warmup):
    return k / max(1.0, warmup) if k < warmup else max(0.0, (total - k) / max(1.0, total - warmup))


def decays(name):
    """by role: weights of linear layers and embeddings; not biases, LayerNorms, adapters, mixing weights"""
    return name.endswith(".weight") and not any(part in name for part in ("LayerNorm", "layer_norm", "_project", ".lora_"))


def train(model, batches, steps, warmup=2.0, rate=1e-3, weights_rate=0.01, decay=0.01, eps=1e-8, clip=1.0, betas=(0.9, 0.999)):
    """-> logits before training, gradients of the first batch, one record a step; the model is left trained"""
    tensors = [tuple(torch.tensor(b[k]) for k in ("input_ids", "attention_mask", "labels"))
               + (torch.tensor(b["token_type_ids"]) if "token_type_ids" in b else torch.zeros_like(torch.tensor(b["input_ids"])),) for b in batches]
    with torch.no_grad():
        logits = [model.logits(ids, mask, types).tolist() for ids, mask, _, types in tensors]
    moments = {name: (torch.zeros_like(model.p[name]), torch.zeros_like(model.p[name])) for name in model.trained}
    first, records = None, []
    for k in range(1, steps + 1):
        ids, mask, labels, types = tensors[(k - 1) % len(tensors)]
        loss = F.cross_entropy(model.logits(ids, mask, types), labels)
        grads = dict(zip(model.trained, torch.autograd.grad(loss, [model.p[name] for name in model.trained])))
        first = first or grads
        norm = math.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        lam = schedule(k, steps, warmup)
        with torch.no_grad():
            for name, g in grads.items():
                g = g * min(1.0, clip / (norm + 1e-6))
                m, v = moments[name]
                m.copy_(betas[0] * m + (1 - betas[0]) * g)
                v.copy_(betas[1] * v + (1 - betas[1]) * g * g)
                lr = lam * (weights_rate if "weighted_sum" in name else rate)
                model.p[name] -= lr * math.sqrt(1 - betas[1] ** k) / (1 - betas[0] ** k) * m / (v.sqrt() + eps)
                if decays(name):
                    model.p[name] -= lr * decay * model.p[name]
        records.append({"step": k, "loss": loss.item(), "grad_norm": norm, "lr": rate * lam})
        if model.kind == "multi":
            records[-1]["weights"] = model.weights_log()
    return logits, first, records


# ---- layers/: one file a layer

class Draw:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape, scale=1.0, mean=0.0):
        return mean + scale * torch.randn(*shape, generator=self.generator, dtype=F64)

    def linear(self, name, inputs, outputs):
        return {name + ".weight": self(outputs, inputs, scale=inputs ** -0.5), name + ".bias": self(outputs, scale=0.3)}

    def norm(self, name, size):
        return {name + ".weight": self(size, scale=0.3, mean=1.0), name + ".bias": self(size, scale=0.3)}

    def adapter(self, name, hidden, size):
        return {**self.linear(name + ".down_project", hidden, size), **self.linear(name + ".up_project", size, hidden)}


def layer_golden(name, given, formula, fixed=None):
    """given: tensors that get a gradient; fixed: other inputs; formula(given) -> y, or (y, {more outputs that get a gradient})"""
    given = {key: value.requires_grad_(True) for key, value in given.items()}
    result = formula(given)
    y, more = result if isinstance(result, tuple) else (result, {})
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(sum(map(ord, name))), dtype=F64)
    wanted = {**given, **more}
    grads = torch.autograd.grad(y, list(wanted.values()), dy)
    write_tensors(f"{HERE}/layers/{name}.safetensors",
                  {**wanted, **(fixed or {}), "y": y, "dy": dy, **{"d" + key: g for key, g in zip(wanted, grads)}})


def make_layers():
    hidden, heads, eps, lengths = 8, 2, 1e-5, [3, 1, 5]
    rows = sum(lengths)
    draw = Draw(1)
    real = torch.tensor([[1] * n + [0] * (max(lengths) - n) for n in lengths]).bool()

    def padded(packed):
        out = torch.zeros(*real.shape, packed.shape[-1], dtype=F64)
        return out.masked_scatter(real[:, :, None], packed)

    def bare(parameters):
        """parameters of a file that holds one layer: weight and bias without a prefix"""
        return {key.lstrip("."): value for key, value in parameters.items()}

    fixed = {"lengths": torch.tensor(lengths)}
    layer_golden("linear", {"x": draw(5, 4), **bare(draw.linear("", 4, 6))}, lambda p: F.linear(p["x"], p["weight"], p["bias"]))
    layer_golden("layer_norm", {"x": draw(5, hidden, scale=2.0, mean=0.5), **bare(draw.norm("", hidden))},
                 lambda p: F.layer_norm(p["x"], (hidden,), p["weight"], p["bias"], eps), {"eps": torch.tensor([eps], dtype=F64)})
    layer_golden("gelu", {"x": torch.cat([draw(4, 6, scale=2.0), torch.tensor([[0.0, -0.0, 9.0, -9.0, 1e-8, -40.0]], dtype=F64)])},
                 lambda p: F.gelu(p["x"]))
    labels = torch.tensor([2, 0, 1, 1])
    layer_golden("cross_entropy", {"x": draw(4, 3, scale=3.0)}, lambda p: F.cross_entropy(p["x"], labels)[None], {"labels": labels})
    targets = draw(4, 1, scale=2.0)
    layer_golden("mean_squared_error", {"x": draw(4, 1)}, lambda p: F.mse_loss(p["x"], targets)[None], {"labels": targets[:, 0]})

    ids = torch.tensor([0, 7, 2, 0, 0, 5, 7, 7, 2])
    place = torch.cat([torch.arange(2, 2 + n) for n in lengths])
    layer_golden("embeddings", {"word_embeddings.weight": draw(9, hidden), "position_embeddings.weight": draw(8, hidden),
                                "token_type_embeddings.weight": draw(1, hidden), **draw.norm("LayerNorm", hidden)},
                 lambda p: layer_norm(p, "LayerNorm", p["word_embeddings.weight"][ids] + p["position_embeddings.weight"][place]
                                      + p["token_type_embeddings.weight"][0], eps), {"input_ids": ids, **fixed})

    def attend(p):
        context = attention(p, "", padded(p["x"]), real, heads)[real]
        return linear(p, "dense", context), {"context": context}
    names = ("query", "key", "value", "dense")
    layer_golden("self_attention", {"x": draw(rows, hidden), **{k: v for n in names for k, v in draw.linear(n, hidden, hidden).items()}},
                 attend, {**fixed, "num_attention_heads": torch.tensor([heads])})
    layer_golden("feed_forward", {"x": draw(5, hidden), **draw.linear("intermediate.dense", hidden, 12), **draw.linear("output.dense", 12, hidden)},
                 lambda p: linear(p, "output.dense", F.gelu(linear(p, "intermediate.dense", p["x"]))))

    two = {"h": draw(5, hidden), "x": draw(5, hidden)}
    layer_golden("adapter_site", {**two, **draw.adapter("adapter", hidden, 3), **draw.norm("LayerNorm", hidden)},
                 lambda p: layer_norm(p, "LayerNorm", adapter(p, "adapter", p["h"]) + p["x"], eps))
    for suffix, mode, last in (("softmax", "softmax", None), ("gates", "gates", None), ("weights", "weights", None),
                               ("base", "softmax", "base"), ("flex", "gates", "flex")):
        mixed = ["rte", "mrpc"] + (["base"] if last == "base" else [])
        kept = ["rte", "mrpc"] + ([last] if last else [])
        parameters = {"weights": draw(len(mixed))}
        for one in kept:
            parameters.update(draw.norm(f"layer_norm_dict.{one}", hidden))
            if one != "base":
                parameters.update(draw.adapter(f"adapter_dict.{one}", hidden, 3))
        layer_golden("multi_adapter_" + suffix, {"h": draw(5, hidden), "x": draw(5, hidden), **parameters},
                     lambda p: multi_adapter(p, "", p["h"], p["x"], p["weights"], mixed, mode, last == "flex", eps))
    layer_golden("classification_head", {"x": draw(4, hidden), **draw.linear("dense", hidden, hidden), **draw.linear("out_proj", hidden, 3)},
                 lambda p: linear(p, "out_proj", torch.tanh(linear(p, "dense", p["x"]))))
    layer_golden("pfeiffer_site", {**two, **draw.adapter("adapter", hidden, 3), **draw.norm("LayerNorm", hidden)},
                 lambda p: behind_norm(p, "adapter", "LayerNorm", p["h"], p["x"], eps))
    layer_golden("low_rank", {"x": draw(5, hidden), **bare(draw.linear("", hidden, 6)), "lora_A.weight": draw(2, hidden), "lora_B.weight": draw(6, 2)},
                 lambda p: F.linear(p["x"], p["weight"], p["bias"]) + 1.5 * F.linear(F.linear(p["x"], p["lora_A.weight"]), p["lora_B.weight"]))


# ---- model/: a tiny RoBERTa and its variants

CONFIG = {"model_type": "roberta", "vocab_size": 40, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
          "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 12,
          "type_vocab_size": 1, "layer_norm_eps": 1e-05, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "num_labels": 2}
BERT = {**CONFIG, "model_type": "bert", "max_position_embeddings": 10, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0}


def sites(config):
    return [f"{config['model_type']}.encoder.layer.{n}.{site}." for n in range(config["num_hidden_layers"]) for site in ("attention.output", "output")]


def draw_model(draw, config=CONFIG):
    family, hidden, inner = config["model_type"], config["hidden_size"], config["intermediate_size"]
    e = family + ".embeddings."
    p = {e + "word_embeddings.weight": draw(config["vocab_size"], hidden, scale=0.5),
         e + "position_embeddings.weight": draw(config["max_position_embeddings"], hidden, scale=0.3),
         e + "token_type_embeddings.weight": draw(config["type_vocab_size"], hidden, scale=0.3), **draw.norm(e + "LayerNorm", hidden)}
    for n in range(config["num_hidden_layers"]):
        layer = f"{family}.encoder.layer.{n}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            p.update(draw.linear(layer + name, hidden, hidden))
        p.update(draw.norm(layer + "attention.output.LayerNorm", hidden))
        p.update(draw.linear(layer + "intermediate.dense", hidden, inner))
        p.update(draw.linear(layer + "output.dense", inner, hidden))
        p.update(draw.norm(layer + "output.LayerNorm", hidden))
    if family == "bert":
        return {**p, **draw.linear("bert.pooler.dense", hidden, hidden), **draw.linear("classifier", hidden, 2)}
    return {**p, **draw.linear("classifier.dense", hidden, hidden), **draw.linear("classifier.out_proj", hidden, 2)}


def draw_adapter(draw, model, size=4, config=CONFIG, pfeiffer=False):
    p = {name: value for name, value in model.items() if name.startswith(("classifier.", "bert.pooler.")) or ".LayerNorm." in name}
    for site in sites(config):
        if not pfeiffer or not site.endswith("attention.output."):
            p.update(draw.adapter(site + "adapter", config["hidden_size"], size))
    return {name: value + draw(*value.shape, scale=0.1) for name, value in p.items()}


def draw_batches(draw, config=CONFIG):
    pad = config["pad_token_id"]

    def pick(low, high):
        return int(torch.randint(low, high, (1,), generator=draw.generator))
    batches = []
    for lengths in ([9, 4, 6], [3, 9, 7], [8, 5, 9]):
        rows = [[1 - pad] + [pick(3, config["vocab_size"]) for _ in range(n - 2)] + [2] for n in lengths]
        batches.append({"input_ids": [row + [pad] * (9 - len(row)) for row in rows],
                        "attention_mask": [[1] * n + [0] * (9 - n) for n in lengths], "labels": [pick(0, 2) for _ in rows]})
        if config["type_vocab_size"] > 1:
            batches[-1]["token_type_ids"] = [[0] * (n // 2) + [1] * (n - n // 2) + [0] * (9 - n) for n in lengths]
    return batches


def multi_parameters(draw, model, adapters, mode, sets, base, flex, config=CONFIG):
    places = sites(config)
    p = {name: value for name, value in model.items() if not any(name.startswith(site + "LayerNorm") for site in places)}
    count = len(adapters) + base
    start = {"softmax": torch.full((count,), 1 / count), "gates": torch.zeros(count), "weights": torch.ones(count)}[mode]
    for n in range(0, config["num_hidden_layers"], config["num_hidden_layers"] // sets):
        p[f"{config['model_type']}.encoder.layer.{n}.attention.output.multi_adapter.weighted_sum.weights"] = start
    for site in places:
        multi = site + "multi_adapter."
        for name, tensors in adapters.items():
            for key, value in tensors.items():
                if key.startswith(site + "adapter."):
                    p[f"{multi}adapter_dict.{name}." + key[len(site + "adapter."):]] = value
                if key.startswith(site + "LayerNorm."):
                    p[f"{multi}layer_norm_dict.{name}." + key[len(site + "LayerNorm."):]] = value
        if base:
            for part in ("weight", "bias"):
                p[f"{multi}layer_norm_dict.base.{part}"] = model[f"{site}LayerNorm.{part}"]
        if flex:
            p.update(draw.adapter(multi + "adapter_dict.flex", CONFIG["hidden_size"], 4))
            p.update({multi + "layer_norm_dict.flex.weight": torch.ones(CONFIG["hidden_size"]),
                      multi + "layer_norm_dict.flex.bias": torch.zeros(CONFIG["hidden_size"])})
    return p


def single_precision(tensors):
    return {name: value.to(torch.float32) for name, value in tensors.items()}


def write_model(folder, config, model, adapters, batches):
    write_tensors(folder + "/model.safetensors", model)
    for name, tensors in adapters.items():
        write_tensors(f"{folder}/adapter_{name}.safetensors", tensors)
    for name, value in (("config", config), ("input", {"batches": batches})):
        with open(f"{folder}/{name}.json", "w") as file:
            file.write(json.dumps(value) + "\n")


def write_variant(folder, variant, adapters, trained, batches):
    out = f"{folder}/{variant['name']}"
    write_tensors(out + "/init.safetensors", trained.p)
    logits, grads, steps = train(trained, batches, 6)
    write_tensors(out + "/grads.safetensors", grads)
    write_tensors(out + "/final.safetensors", {name: trained.p[name] for name in trained.trained})
    with open(out + "/golden.json", "w") as file:
        variant = {**variant, "task": "cls", "adapters": adapters if trained.kind == "multi" else []}
        file.write(json.dumps({"variant": variant, "logits": logits, "steps": steps}) + "\n")


def make_model():
    draw, folder = Draw(2), HERE + "/model"
    model = single_precision(draw_model(draw))
    adapters = {name: single_precision(draw_adapter(draw, model)) for name in ("rte", "mrpc")}
    batches = draw_batches(draw)
    write_model(folder, CONFIG, model, adapters, batches)
    single = {**model, **{name: value for name, value in draw_adapter(draw, model).items() if ".adapter." in name}}
    names = list(adapters)
    for variant, parameters, options in (
            ({"name": "plain"}, model, {}),
            ({"name": "single"}, single, {"kind": "single"}),
            ({"name": "multi_base", "ft": "base"}, multi_parameters(draw, model, adapters, "softmax", 1, True, False),
             {"kind": "multi", "names": names + ["base"]}),
            ({"name": "multi_flex", "ft": "flex"}, multi_parameters(draw, model, adapters, "softmax", 1, False, True),
             {"kind": "multi", "names": names, "flex": True}),
            ({"name": "multi_full_ft", "ft": "full_ft", "wmode": "gates", "sets": 2}, multi_parameters(draw, model, adapters, "gates", 2, True, False),
             {"kind": "multi", "names": names + ["base"], "mode": "gates", "sets": 2, "full": True})):
        write_variant(folder, variant, names, Model(CONFIG, parameters, **options), batches)


def make_bert():
    """BERT, and on it what the RoBERTa goldens lack: adapters behind the LayerNorm and low-rank updates"""
    draw, folder = Draw(3), HERE + "/bert"
    model = single_precision(draw_model(draw, BERT))
    adapters = {"rte": single_precision(draw_adapter(draw, model, config=BERT)),
                "pfeiffer": single_precision(draw_adapter(draw, model, 3, BERT, pfeiffer=True))}
    batches = draw_batches(draw, BERT)
    write_model(folder, BERT, model, adapters, batches)
    about = {"version": 1, "kind": "adapter", "task": "pfeiffer", "output": "classification", "labels": ["0", "1"], "max_seq_length": 9, "trunk_fingerprint": "",
             "adapter_size": 3, "adapter_hidden_act": "relu", "adapter_placement": "pfeiffer", "adapter_layer_norm": "trained"}
    write_tensors(f"{folder}/adapter_pfeiffer.safetensors", adapters["pfeiffer"], {"graft": json.dumps(about)})
    single, pfeiffer = ({**model, **{name: value for name, value in draw_adapter(draw, model, config=BERT, pfeiffer=alone).items() if ".adapter." in name}}
                        for alone in (False, True))
    lora = dict(model)
    for n in range(BERT["num_hidden_layers"]):
        for part in ("query", "value"):
            name = f"bert.encoder.layer.{n}.attention.self.{part}"
            lora.update({name + ".lora_A.weight": draw(2, BERT["hidden_size"], scale=0.5), name + ".lora_B.weight": draw(BERT["hidden_size"], 2, scale=0.5)})
    names = list(adapters)
    for variant, parameters, options in (
            ({"name": "plain"}, model, {}),
            ({"name": "single"}, single, {"kind": "single"}),
            ({"name": "pfeiffer"}, pfeiffer, {"kind": "pfeiffer"}),
            ({"name": "lora", "r": 2, "alpha": 3}, lora, {"kind": "lora", "scale": 1.5}),
            ({"name": "multi_base", "ft": "base"}, multi_parameters(draw, model, adapters, "softmax", 1, True, False, BERT),
             {"kind": "multi", "names": names + ["base"]}),
            ({"name": "multi_full_ft", "ft": "full_ft", "wmode": "gates", "sets": 2}, multi_parameters(draw, model, adapters, "gates", 2, True, False, BERT),
             {"kind": "multi", "names": names + ["base"], "mode": "gates", "sets": 2, "full": True})):
        write_variant(folder, variant, names, Model(BERT, parameters, **options), batches)


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_layers()
    make_model()
    make_bert()
