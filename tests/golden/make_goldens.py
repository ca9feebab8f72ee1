#!/usr/bin/python3
"""Writes the goldens beside it (layers/ and model/): what PyTorch's autograd says, in float64. README.md says how and with what."""
import json, math, os
import numpy as np, torch, torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
F64 = torch.float64


def write_tensors(path, tensors):
    kinds = {torch.float64: "F64", torch.float32: "F32", torch.int64: "I64"}
    header, blob = {}, b""
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


def attention(p, name, x, mask, heads):
    """x (B, T, H), mask (B, T) with 1 at real tokens -> context (B, T, H)"""
    batch, length, hidden = x.shape
    q, k, v = (linear(p, f"{name}{part}", x).view(batch, length, heads, -1).transpose(1, 2) for part in ("query", "key", "value"))
    scores = q @ k.transpose(2, 3) / math.sqrt(hidden // heads) + (1 - mask[:, None, None, :].to(F64)) * -10000.0
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, hidden)


def adapter(p, name, h):
    return h + linear(p, name + ".up_project", F.gelu(linear(p, name + ".down_project", h)))


def mix(values, mode):
    return {"softmax": lambda v: v.softmax(0), "gates": torch.sigmoid, "weights": lambda v: v}[mode](values)


def multi_adapter(p, name, h, x, values, names, mode, flex, eps):
    """names: the adapters mixed, and `base` (no adapter) where it is in the mix"""
    c = 0
    for weight, one in zip(mix(values, mode), names):
        a = h if one == "base" else adapter(p, f"{name}adapter_dict.{one}", h)
        c = c + weight * layer_norm(p, f"{name}layer_norm_dict.{one}", a + x, eps)
    return layer_norm(p, name + "layer_norm_dict.flex", adapter(p, name + "adapter_dict.flex", c) + x, eps) if flex else c


def positions(ids):
    real = (ids != 1).long()
    return torch.cumsum(real, -1) * real + 1


class Model:
    """RoBERTa for sequence classification with plain, adapter or multi-adapter sites."""

    def __init__(self, config, parameters, kind="plain", names=(), mode="softmax", flex=False, sets=1, full=False):
        self.config, self.kind, self.names, self.mode, self.flex, self.full = config, kind, list(names), mode, flex, full
        layers = config["num_hidden_layers"]
        per_set = layers // (layers if sets == -1 else sets)
        self.weights_of = [f"roberta.encoder.layer.{n // per_set * per_set}.attention.output.multi_adapter.weighted_sum.weights" for n in range(layers)]
        self.p = {name: value.to(F64).clone() for name, value in parameters.items()}
        self.trained = [name for name in self.p if self.trains(name)]
        for name in self.trained:
            self.p[name].requires_grad_(True)

    def trains(self, name):
        if self.kind == "plain" or self.full or name.startswith("classifier."):
            return True
        if self.kind == "single":
            return ".adapter." in name or ".LayerNorm." in name
        return "weighted_sum" in name or "_dict.flex." in name

    def site(self, layer, name, h, x):
        prefix, eps = f"roberta.encoder.layer.{layer}.{name}.", self.config["layer_norm_eps"]
        if self.kind == "multi":
            return multi_adapter(self.p, prefix + "multi_adapter.", h, x, self.p[self.weights_of[layer]], self.names, self.mode, self.flex, eps)
        return layer_norm(self.p, prefix + "LayerNorm", (adapter(self.p, prefix + "adapter", h) if self.kind == "single" else h) + x, eps)

    def logits(self, ids, mask):
        p, e = self.p, "roberta.embeddings."
        x = p[e + "word_embeddings.weight"][ids] + p[e + "position_embeddings.weight"][positions(ids)] + p[e + "token_type_embeddings.weight"][0]
        x = layer_norm(p, e + "LayerNorm", x, self.config["layer_norm_eps"])
        for n in range(self.config["num_hidden_layers"]):
            layer = f"roberta.encoder.layer.{n}."
            context = attention(p, layer + "attention.self.", x, mask, self.config["num_attention_heads"])
            x = self.site(n, "attention.output", linear(p, layer + "attention.output.dense", context), x)
            inner = F.gelu(linear(p, layer + "intermediate.dense", x))
            x = self.site(n, "output", linear(p, layer + "output.dense", inner), x)
        return linear(p, "classifier.out_proj", torch.tanh(linear(p, "classifier.dense", x[:, 0])))

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
    return name.endswith(".weight") and not any(part in name for part in ("LayerNorm", "layer_norm", "_project"))


def train(model, batches, steps, warmup=2.0, rate=1e-3, weights_rate=0.01, decay=0.01, eps=1e-8, clip=1.0, betas=(0.9, 0.999)):
    """-> logits before training, gradients of the first batch, one record a step; the model is left trained"""
    tensors = [tuple(torch.tensor(b[k]) for k in ("input_ids", "attention_mask", "labels")) for b in batches]
    with torch.no_grad():
        logits = [model.logits(ids, mask).tolist() for ids, mask, _ in tensors]
    moments = {name: (torch.zeros_like(model.p[name]), torch.zeros_like(model.p[name])) for name in model.trained}
    first, records = None, []
    for k in range(1, steps + 1):
        ids, mask, labels = tensors[(k - 1) % len(tensors)]
        loss = F.cross_entropy(model.logits(ids, mask), labels)
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


# ---- model/: a tiny RoBERTa and its variants

CONFIG = {"model_type": "roberta", "vocab_size": 40, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
          "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 12,
          "type_vocab_size": 1, "layer_norm_eps": 1e-05, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "num_labels": 2}
SITES = [f"roberta.encoder.layer.{n}.{site}." for n in range(CONFIG["num_hidden_layers"]) for site in ("attention.output", "output")]


def draw_model(draw):
    hidden, inner, e = CONFIG["hidden_size"], CONFIG["intermediate_size"], "roberta.embeddings."
    p = {e + "word_embeddings.weight": draw(CONFIG["vocab_size"], hidden, scale=0.5),
         e + "position_embeddings.weight": draw(CONFIG["max_position_embeddings"], hidden, scale=0.3),
         e + "token_type_embeddings.weight": draw(1, hidden, scale=0.3), **draw.norm(e + "LayerNorm", hidden)}
    for n in range(CONFIG["num_hidden_layers"]):
        layer = f"roberta.encoder.layer.{n}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            p.update(draw.linear(layer + name, hidden, hidden))
        p.update(draw.norm(layer + "attention.output.LayerNorm", hidden))
        p.update(draw.linear(layer + "intermediate.dense", hidden, inner))
        p.update(draw.linear(layer + "output.dense", inner, hidden))
        p.update(draw.norm(layer + "output.LayerNorm", hidden))
    return {**p, **draw.linear("classifier.dense", hidden, hidden), **draw.linear("classifier.out_proj", hidden, 2)}


def draw_adapter(draw, model, size=4):
    p = {name: value for name, value in model.items() if name.startswith("classifier.") or ".LayerNorm." in name}
    for site in SITES:
        p.update(draw.adapter(site + "adapter", CONFIG["hidden_size"], size))
    return {name: value + draw(*value.shape, scale=0.1) for name, value in p.items()}


def draw_batches(draw):
    def pick(low, high):
        return int(torch.randint(low, high, (1,), generator=draw.generator))
    batches = []
    for lengths in ([9, 4, 6], [3, 9, 7], [8, 5, 9]):
        rows = [[0] + [pick(3, CONFIG["vocab_size"]) for _ in range(n - 2)] + [2] for n in lengths]
        batches.append({"input_ids": [row + [1] * (9 - len(row)) for row in rows],
                        "attention_mask": [[1] * n + [0] * (9 - n) for n in lengths], "labels": [pick(0, 2) for _ in rows]})
    return batches


def multi_parameters(draw, model, adapters, mode, sets, base, flex):
    p = {name: value for name, value in model.items() if not any(name.startswith(site + "LayerNorm") for site in SITES)}
    count = len(adapters) + base
    start = {"softmax": torch.full((count,), 1 / count), "gates": torch.zeros(count), "weights": torch.ones(count)}[mode]
    for n in range(0, CONFIG["num_hidden_layers"], CONFIG["num_hidden_layers"] // sets):
        p[f"roberta.encoder.layer.{n}.attention.output.multi_adapter.weighted_sum.weights"] = start
    for site in SITES:
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


def make_model():
    draw, folder = Draw(2), HERE + "/model"

    def single_precision(tensors):
        return {name: value.to(torch.float32) for name, value in tensors.items()}
    model = single_precision(draw_model(draw))
    adapters = {name: single_precision(draw_adapter(draw, model)) for name in ("rte", "mrpc")}
    batches = draw_batches(draw)
    write_tensors(folder + "/model.safetensors", model)
    for name, tensors in adapters.items():
        write_tensors(f"{folder}/adapter_{name}.safetensors", tensors)
    for name, value in (("config", CONFIG), ("input", {"batches": batches})):
        with open(f"{folder}/{name}.json", "w") as file:
            file.write(json.dumps(value) + "\n")

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
        trained = Model(CONFIG, parameters, **options)
        out = f"{folder}/{variant['name']}"
        write_tensors(out + "/init.safetensors", trained.p)
        logits, grads, steps = train(trained, batches, 6)
        write_tensors(out + "/grads.safetensors", grads)
        write_tensors(out + "/final.safetensors", {name: trained.p[name] for name in trained.trained})
        with open(out + "/golden.json", "w") as file:
            variant = {**variant, "task": "cls", "adapters": names if options.get("kind") == "multi" else []}
            file.write(json.dumps({"variant": variant, "logits": logits, "steps": steps}) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    make_layers()
    make_model()
