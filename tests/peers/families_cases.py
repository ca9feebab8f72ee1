"""Families of encoders, as transformers save them: their own heads, and what AdapterHub's library and PEFT put around them.

Add a family: a line in FAMILIES of models.py and, for what is put around it, in AROUND.
"""
import copy
import safetensors.torch, torch
import peft_cases, trained_cases
from heads_cases import LABELS, exported
from models import FAMILIES, HAS_ADAPTERS, ROWS, SHAPES, randomized
from peers import Answers, Case, logits

if HAS_ADAPTERS:
    import adapters
    import adapterhub_cases

ACTIVATIONS = ["gelu", "gelu_new", "relu", "silu", "gelu_pytorch_tanh", "quick_gelu"]


def model_of(family, number, act):
    config, model_class = FAMILIES[family]
    made = config(SHAPES[number], act)
    made.id2label, made.label2id = dict(enumerate(LABELS)), {label: i for i, label in enumerate(LABELS)}
    return randomized(model_class(made), 10 + number)


def gradients(model):
    """Of all parameters, in float64, by the mean cross entropy of ROWS with the labels 0, 1, 0, ..."""
    model = copy.deepcopy(model).double()
    losses = [torch.nn.functional.cross_entropy(model(input_ids=torch.tensor([row["input_ids"]])).logits, torch.tensor([i % 2])) for i, row in enumerate(ROWS)]
    (sum(losses) / len(losses)).backward()
    return {name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in model.named_parameters()}


def classifier(family, number, act):
    def save(_, out):
        model = model_of(family, number, act)
        model.save_pretrained(out)
        if number == 0 or act == "relu":
            safetensors.torch.save_file(gradients(model), out + "/gradients.safetensors")
        return Answers(logits(model, ROWS), LABELS)
    return Case(f"families: {family}, shape {number}, {act}", "", save, exported=exported(LABELS, "softmax"), golden=number == 0 or act in ("gelu_new", "relu", "silu"))


CASES = [classifier(family, number, act) for family in FAMILIES
         for number, act in [(0, "gelu"), (1, "gelu"), (2, "gelu"), *([(1, a) for a in ACTIVATIONS[1:]] if family in ("roberta", "bert") else [(1, "relu")])]]

AROUND = {  # base -> targets of a low-rank update, as PEFT names them
    "xlm_roberta": ["query", "value"],
    "distilbert": ["q_lin", "v_lin", "lin1", "out_lin"],
    "electra": ["query", "output.dense"],
    "mpnet": ["attn.q", "attn.o"],
    "deberta_v2": ["query_proj", "key_proj", "value_proj"],
}
for base, targets in AROUND.items():
    for name, config in () if base == "mpnet" or not HAS_ADAPTERS else (("double_seq_bn", adapters.DoubleSeqBnConfig(reduction_factor=2)), ("seq_bn", adapters.SeqBnConfig(reduction_factor=2)), ("lora", adapters.LoRAConfig(r=2, alpha=3))):
        CASES.append(adapterhub_cases.setting(f"{name}, {base}", config, base=base, golden=name == "double_seq_bn"))
    if HAS_ADAPTERS and base in ("xlm_roberta", "electra"):  # DistilBERT's has names of its own
        CASES.append(adapterhub_cases.setting(f"prefix_tuning, {base}", adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=6, use_gating=True), base=base, golden=False))
        CASES.append(adapterhub_cases.setting(f"ia3, {base}", adapters.IA3Config(), base=base, golden=False))
    saved = {"modules_to_save": ["pooler", "classifier"]} if base == "deberta_v2" else {}  # PEFT alone would leave the pooler out
    CASES.append(peft_cases.lora(base, base, golden=True, target_modules=targets, **saved))
    CASES.append(peft_cases.merged(CASES[-1]))
    CASES.append(peft_cases.lora(f"patterns, {base}", base, target_modules=targets, **saved, rank_pattern={targets[0]: 3}, alpha_pattern={targets[1]: 7}))
    if HAS_ADAPTERS and base != "mpnet":  # which the library does not have
        CASES.append(trained_cases.trained(f"houlsby, {base}", trained_cases.FROZEN, trained_cases.adapterhub, "adapterhub", base))
    CASES.append(trained_cases.trained(f"lora, {base}", ["--adapter_method", "lora", "--lora_r", "2"], trained_cases.lora, "peft", base))
    CASES.append(trained_cases.trained(f"everything, {base}", ["--tune", "full", "--do_save_full"], trained_cases.whole, base=base))
