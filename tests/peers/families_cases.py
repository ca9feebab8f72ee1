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


def angles(rotary):
    """The cosines and sines of ModernBERT's angles in float64, which the library has in float32 whatever the model has; the angles are the same."""
    def forward(x, position_ids, layer_type=None):
        frequencies = getattr(rotary, f"{layer_type}_inv_freq" if layer_type else "inv_freq").float()
        both = torch.cat(2 * [position_ids[..., None].float() * frequencies], -1).double()
        return both.cos(), both.sin()
    return forward


def in_float64(model):
    model = copy.deepcopy(model).double()
    for module in model.modules():
        if type(module).__name__ == "ModernBertRotaryEmbedding":
            module.forward = angles(module)
    return model


def go_back(model):
    """From the mean cross entropy of ROWS with the labels 0, 1, 0, ..."""
    losses = [torch.nn.functional.cross_entropy(model(input_ids=torch.tensor([row["input_ids"]])).logits, torch.tensor([i % 2])) for i, row in enumerate(ROWS)]
    (sum(losses) / len(losses)).backward()


def gradients(model):
    """Of all parameters, in float64."""
    model = in_float64(model)
    go_back(model)
    return {name: p.grad if p.grad is not None else torch.zeros_like(p) for name, p in model.named_parameters()}


def tuned_gradients(model, updated):
    """Random Houlsby adapters of size 3, and low-rank updates of rank 2, alpha 3, of the modules that UPDATED names, with their gradients in float64, each around MODEL as it is:
    MODULE.adapter.down_project.weight and the like, MODULE.lora_A.weight, and the same behind "gradient."; modules as transformers calls them."""
    found, generator = {}, torch.Generator().manual_seed(3)
    for kind in ("adapter", "lora"):
        around = in_float64(model).requires_grad_(False)
        made = {}

        def parameter(name, *shape):
            made[name] = (0.3 * torch.randn(shape, generator=generator)).double().requires_grad_()
            return made[name]

        def adapter(name, outputs, inputs):
            down = [parameter(f"{name}.adapter.down_project.weight", 3, outputs), parameter(f"{name}.adapter.down_project.bias", 3)]
            up = [parameter(f"{name}.adapter.up_project.weight", outputs, 3), parameter(f"{name}.adapter.up_project.bias", outputs)]
            f = torch.nn.functional
            return lambda module, x, h: h + f.linear(f.gelu(f.linear(h, *down)), *up)

        def lora(name, outputs, inputs):
            a, b = parameter(f"{name}.lora_A.weight", 2, inputs), parameter(f"{name}.lora_B.weight", outputs, 2)
            return lambda module, x, y: y + 1.5 * x[0] @ a.T @ b.T
        ends = (".attention.output.dense", "output.dense", ".out_lin", ".lin2", ".attn.o", ".Wo") if kind == "adapter" else updated
        for name, module in around.named_modules():
            if isinstance(module, torch.nn.Linear) and name.endswith(tuple(ends)) and ".layer" in "." + name:
                module.register_forward_hook((adapter if kind == "adapter" else lora)(name, *module.weight.shape))
        go_back(around)
        for name, p in made.items():
            found[name], found["gradient." + name] = p.detach(), p.grad
    return found


def classifier(family, number, act):
    def save(_, out):
        model = model_of(family, number, act)
        model.save_pretrained(out)
        if number == 0 or act == "relu":
            safetensors.torch.save_file(gradients(model), out + "/gradients.safetensors")
        if act == "gelu":
            targets = AROUND.get(model.config.model_type.replace("-", "_"), ["query", "value"])
            safetensors.torch.save_file(tuned_gradients(model, [t for t in targets if t != "Wo"]), out + "/tuned.safetensors")
        return Answers(logits(model, ROWS), LABELS)
    return Case(f"families: {family}, shape {number}, {act}", "", save, exported=exported(LABELS, "softmax"), golden=act in ("gelu", "gelu_new", "relu", "silu"))


CASES = [classifier(family, number, act) for family in FAMILIES
         for number, act in [(0, "gelu"), (1, "gelu"), (2, "gelu"), *([(1, a) for a in ACTIVATIONS[1:]] if family in ("roberta", "bert") else [(1, "relu")])]]

AROUND = {  # base -> targets of a low-rank update, as PEFT names them
    "xlm_roberta": ["query", "value"],
    "distilbert": ["q_lin", "v_lin", "lin1", "out_lin"],
    "electra": ["query", "output.dense"],
    "mpnet": ["attn.q", "attn.o"],
    "deberta_v2": ["query_proj", "key_proj", "value_proj"],
    "modernbert": ["Wqkv", "Wo", "Wi"],
}
for base, targets in AROUND.items():
    for name, config in () if base in ("mpnet", "modernbert") or not HAS_ADAPTERS else (("double_seq_bn", adapters.DoubleSeqBnConfig(reduction_factor=2)), ("seq_bn", adapters.SeqBnConfig(reduction_factor=2)), ("lora", adapters.LoRAConfig(r=2, alpha=3))):
        CASES.append(adapterhub_cases.setting(f"{name}, {base}", config, base=base, golden=name == "double_seq_bn"))
    if HAS_ADAPTERS and base in ("xlm_roberta", "electra"):  # DistilBERT's has names of its own
        CASES.append(adapterhub_cases.setting(f"prefix_tuning, {base}", adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=6, use_gating=True), base=base, golden=False))
        CASES.append(adapterhub_cases.setting(f"ia3, {base}", adapters.IA3Config(), base=base, golden=False))
    for name, config in () if base != "modernbert" or not HAS_ADAPTERS else (("double_seq_bn", adapters.DoubleSeqBnConfig(reduction_factor=2)), ("seq_bn", adapters.SeqBnConfig(reduction_factor=2)),
                                                                           ("par_bn", adapters.ParBnConfig(reduction_factor=2)), ("seq_bn_inv", adapters.SeqBnInvConfig(reduction_factor=2)),
                                                                           ("lora of feed-forward parts", adapters.LoRAConfig(selfattn_lora=False, intermediate_lora=True, output_lora=True, r=2, alpha=3)),
                                                                           ("lora", adapters.LoRAConfig(r=2, alpha=3))):
        # in a matrix Wqkv without bias the library (1.3.0) puts a random one
        CASES.append(adapterhub_cases.static(f"{name}, {base}", config, "modernbert_biases", golden=name == "double_seq_bn", own_class=True, refused="updates queries, keys or values apart" if name == "lora" else ""))
    saved = {"modules_to_save": {"deberta_v2": ["pooler", "classifier"], "modernbert": ["head", "classifier"]}.get(base)}  # PEFT alone would leave the first layer out
    saved = saved if saved["modules_to_save"] else {}
    CASES.append(peft_cases.lora(base, base, golden=True, target_modules=targets, **saved))
    CASES.append(peft_cases.merged(CASES[-1]))
    CASES.append(peft_cases.lora(f"patterns, {base}", base, target_modules=targets, **saved, rank_pattern={targets[0]: 3}, alpha_pattern={targets[1]: 7}))
    if HAS_ADAPTERS and base not in ("mpnet", "modernbert"):  # which the library does not have
        CASES.append(trained_cases.trained(f"houlsby, {base}", trained_cases.FROZEN, trained_cases.adapterhub, "adapterhub", base))
    if HAS_ADAPTERS and base == "modernbert":
        for kind in ("houlsby", "pfeiffer", "parallel"):
            CASES.append(trained_cases.trained(f"{kind}, {base}", [*trained_cases.FROZEN, "--adapter_placement", kind], adapterhub_cases.static_answers, "adapterhub", "modernbert_biases"))
    CASES.append(trained_cases.trained(f"lora, {base}", ["--adapter_method", "lora", "--lora_r", "2"], trained_cases.lora, "peft", base))
    CASES.append(trained_cases.trained(f"everything, {base}", ["--tune", "full", "--do_save_full"], trained_cases.whole, base=base))
