#!/usr/bin/python3
"""Writes exchange/ beside it: adapters for the tiny model in model/ as other programs save them, and in expected.json the logits that they give.

Run with Debian's python3-torch: /usr/bin/python3 make_exchange_files.py. The tests need neither Python nor this script. AdapterHub's and PEFT's libraries
are not used: names and fields are those in their sources (adapters: loading.py, heads/base.py; peft: save_and_load.py, tuners/lora/config.py).
Files hold float32; logits are computed from them in float64, for the batches of model/input.json, without dropout. Running it again writes the same
values; the older streams (model_stream.p, adapterhub_legacy) name their storages by addresses in memory, so their bytes differ.
"""
import json, os
import torch, torch.nn.functional as F
from make_goldens import CONFIG, F64, HERE, Draw, Model, layer_norm, read_tensors, single_precision, update, write_tensors

OUT, LAYERS, HIDDEN = HERE + "/exchange", range(CONFIG["num_hidden_layers"]), CONFIG["hidden_size"]
LABELS = {"entailment": 0, "not_entailment": 1}


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(json.dumps(value, indent=2, sort_keys=True) + "\n")


def save(tensors, path, **options):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    torch.save(tensors, path, **options)


class Adapted(Model):
    """The tiny model with AdapterHub's adapters: ACT inside, behind the LayerNorm if BEHIND."""

    def __init__(self, parameters, act, behind):
        super().__init__(CONFIG, parameters)
        self.act, self.behind = act, behind

    def site(self, layer, name, h, x):
        prefix, eps = f"roberta.encoder.layer.{layer}.{name}.", CONFIG["layer_norm_eps"]

        def norm(u):
            return layer_norm(self.p, prefix + "LayerNorm", u, eps)

        def up(t):
            return update(self.p, prefix + "adapter", t, self.act)
        if self.behind:
            return norm(h + x) if name == "attention.output" else norm(up(norm(h + x)) + h + x)
        return norm(h + up(h) + x)


def logits(model):
    with open(HERE + "/model/input.json") as file:
        batches = json.load(file)["batches"]
    with torch.no_grad():
        inputs = [(torch.tensor(b["input_ids"]), torch.tensor(b["attention_mask"])) for b in batches]
        return [model.logits(ids, mask, torch.zeros_like(ids)).tolist() for ids, mask in inputs]


def draw_adapter(draw, sites, size):
    tensors = {}
    for n in LAYERS:
        for site in sites:
            tensors.update(draw.adapter(f"roberta.encoder.layer.{n}.{site}.adapter", HIDDEN, size))
    return single_precision(tensors)


def draw_head(draw):
    return single_precision({**draw.linear("classifier.dense", HIDDEN, HIDDEN), **draw.linear("classifier.out_proj", HIDDEN, 2)})


def adapterhub_names(tensors, name, site_names={}):
    """graft's names -> AdapterHub's; SITE_NAMES: how the older ones call `adapters` at a site"""
    renamed = {}
    for key, value in tensors.items():
        site, part = key.split(".adapter.")
        part = part.replace("down_project.", "adapter_down.0.").replace("up_project.", "adapter_up.")
        renamed[f"{site}.{site_names.get(site.split('.', 4)[4], 'adapters')}.{name}.{part}"] = value
    return renamed


def head_names(tensors, name):
    return {key.replace("classifier.dense", f"heads.{name}.1").replace("classifier.out_proj", f"heads.{name}.4"): value for key, value in tensors.items()}


BOTTLENECK = {"adapter_residual_before_ln": False, "cross_adapter": False, "dropout": 0.0, "factorized_phm_W": True, "factorized_phm_rule": False,
              "hypercomplex_nonlinearity": "glorot-uniform", "init_weights": "bert", "inv_adapter": None, "inv_adapter_reduction_factor": None,
              "is_parallel": False, "learn_phm": True, "leave_out": [], "ln_after": False, "ln_before": False, "original_ln_after": True,
              "output_adapter": True, "phm_bias": True, "phm_c_init": "normal", "phm_dim": 4, "phm_init_range": 0.0001, "phm_layer": False, "phm_rank": 1,
              "residual_before_ln": True, "scaling": 1.0, "shared_W_phm": False, "shared_phm_rule": True, "stochastic_depth": 0.0, "use_gating": False}
ABOUT = {"hidden_size": HIDDEN, "model_class": "RobertaAdapterModel", "model_name": "tiny", "model_type": "roberta", "name": "rte", "version": "adapters.1.2.0"}


def head_config():
    return {**ABOUT, "config": {"activation_function": "tanh", "bias": True, "dropout_prob": None, "head_type": "classification", "label2id": LABELS,
                                "layers": 2, "num_labels": 2, "use_pooler": False}}


def make_adapterhub(draw, trunk, expected):
    both = ("attention.output", "output")
    head = draw_head(draw)

    folder, adapter = OUT + "/adapterhub_double", draw_adapter(draw, both, 4)
    write_json(folder + "/adapter_config.json", {**ABOUT, "config": {**BOTTLENECK, "mh_adapter": True, "non_linearity": "swish", "original_ln_before": False,
                                                                     "reduction_factor": 2}})
    save(adapterhub_names(adapter, "rte"), folder + "/pytorch_adapter.bin")
    write_json(folder + "/head_config.json", head_config())
    save(head_names(head, "rte"), folder + "/pytorch_model_head.bin")
    expected["adapterhub_double"] = logits(Adapted({**trunk, **adapter, **head}, F.silu, False))

    folder, adapter = OUT + "/adapterhub_single", draw_adapter(draw, ("output",), 2)
    write_json(folder + "/adapter_config.json", {**ABOUT, "config": {**BOTTLENECK, "mh_adapter": False, "non_linearity": "relu", "original_ln_before": True,
                                                                     "reduction_factor": {"0": 4, "default": 4}}})
    write_tensors(folder + "/adapter.safetensors", adapterhub_names(adapter, "rte"))
    write_json(folder + "/head_config.json", head_config())
    write_tensors(folder + "/model_head.safetensors", head_names(head, "rte"))
    expected["adapterhub_single"] = logits(Adapted({**trunk, **adapter, **head}, F.relu, True))

    # as adapter-transformers 1 wrote it: other names, no version, `gelu_orig` for the erf form; the head is the trunk's own
    folder, adapter = OUT + "/adapterhub_legacy", draw_adapter(draw, both, 1)
    config = {key: BOTTLENECK[key] for key in ("adapter_residual_before_ln", "leave_out", "ln_after", "ln_before", "original_ln_after", "output_adapter",
                                               "residual_before_ln")}
    config.update({"invertible_adapter": {"block_type": "nice", "non_linearity": "relu", "reduction_factor": 2}, "mh_adapter": True,
                   "non_linearity": "gelu_orig", "original_ln_before": False, "reduction_factor": 8})
    about = {key: value for key, value in ABOUT.items() if key != "version"}
    write_json(folder + "/adapter_config.json", {**about, "model_class": "RobertaModelWithHeads", "name": "sst-2", "type": "text_task", "config": config})
    names = {"attention.output": "attention_text_task_adapters", "output": "layer_text_task_adapters"}
    save(adapterhub_names(adapter, "sst-2", names), folder + "/pytorch_adapter.bin", _use_new_zipfile_serialization=False)
    expected["adapterhub_legacy"] = logits(Adapted({**trunk, **adapter}, F.gelu, False))


PEFT = {"alpha_pattern": {}, "auto_mapping": None, "base_model_name_or_path": "tiny", "bias": "none", "fan_in_fan_out": False, "inference_mode": True,
        "init_lora_weights": True, "layer_replication": None, "layers_pattern": None, "layers_to_transform": None, "loftq_config": {}, "lora_dropout": 0.1,
        "megatron_config": None, "megatron_core": "megatron.core", "peft_type": "LORA", "rank_pattern": {}, "revision": None, "task_type": "SEQ_CLS",
        "use_dora": False}


def make_lora(draw, trunk, modules, r, scale):
    """-> the low-rank tensors under PEFT's names, and the trunk that they make"""
    tensors, merged = {}, dict(trunk)
    for n in LAYERS:
        for module in modules:
            name = f"roberta.encoder.layer.{n}.{module}"
            outputs, inputs = trunk[name + ".weight"].shape
            a, b = (single_precision({"": draw(*shape, scale=0.4)})[""] for shape in ((r, inputs), (outputs, r)))
            tensors.update({f"base_model.model.{name}.lora_A.weight": a, f"base_model.model.{name}.lora_B.weight": b})
            merged[name + ".weight"] = trunk[name + ".weight"].to(F64) + scale * b.to(F64) @ a.to(F64)
    return tensors, merged


def make_peft(draw, trunk, expected):
    head = draw_head(draw)
    saved_head = {"base_model.model." + key: value for key, value in head.items()}

    folder = OUT + "/peft_lora"
    tensors, merged = make_lora(draw, trunk, ("attention.self.query", "attention.self.value"), 2, 3 / 2)
    write_json(folder + "/adapter_config.json", {**PEFT, "r": 2, "lora_alpha": 3, "target_modules": ["value", "query"], "use_rslora": False,
                                                 "modules_to_save": ["classifier", "score"]})
    write_tensors(folder + "/adapter_model.safetensors", {**tensors, **saved_head})
    expected["peft_lora"] = logits(Model(CONFIG, {**merged, **head}))

    # the older .bin, modules picked by a pattern, scaled by alpha / sqrt(r), without a head (the trunk's own is used)
    folder = OUT + "/peft_lora_pattern"
    tensors, merged = make_lora(draw, trunk, ("attention.self.key", "attention.output.dense", "intermediate.dense"), 4, 3 / 4 ** 0.5)
    write_json(folder + "/adapter_config.json", {**PEFT, "r": 4, "lora_alpha": 3, "use_rslora": True, "modules_to_save": None,
                                                 "target_modules": ".*(self\\.key|attention\\.output\\.dense|intermediate\\.dense)"})
    save(tensors, folder + "/adapter_model.bin")
    expected["peft_lora_pattern"] = logits(Model(CONFIG, merged))


def make_original(draw, expected):
    """what nlprunners saves: adapters, every LayerNorm, head, and RoBERTa's pooler, which nothing uses"""
    tensors = read_tensors(HERE + "/model/adapter_rte.safetensors")
    tensors.update(single_precision(draw.linear("roberta.pooler.dense", HIDDEN, HIDDEN)))
    save(tensors, OUT + "/original/model.p")
    save(tensors, OUT + "/original/model_stream.p", _use_new_zipfile_serialization=False)
    trunk = read_tensors(HERE + "/model/model.safetensors")
    expected["original"] = logits(Adapted({**trunk, **tensors}, F.gelu, False))


if __name__ == "__main__":
    torch.set_num_threads(1)
    trunk, expected = read_tensors(HERE + "/model/model.safetensors"), {}
    make_adapterhub(Draw(3), trunk, expected)
    make_peft(Draw(4), trunk, expected)
    make_original(Draw(5), expected)
    write_json(OUT + "/expected.json", expected)
