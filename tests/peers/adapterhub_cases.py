"""AdapterHub's library (`adapters`): its configurations and heads, as RobertaAdapterModel and BertAdapterModel save and load them.

Add a case: a line in CASES.  setting(NAME, CONFIG) adds the adapter as model.add_adapter does, with a classification head whose options are `head`.
"""
import itertools, json
import adapters
from adapters import AutoAdapterModel, BnConfig, DoubleSeqBnConfig, DynamicAdapterFusionConfig, SeqBnConfig
from adapters.composition import Fuse, Stack
from adapters.heads import ClassificationHead, MultiLabelClassificationHead
from transformers import AutoModelForSequenceClassification
from models import ROWS
from peers import Answers, Case, LABELS, logits, randomize


def is_new(trunk):
    """Chooses the parameters that the plain model TRUNK does not have."""
    names = {name for name, _ in trunk.named_parameters()}
    return lambda name: name.replace(".base_layer", "").replace(".base_model", "") not in names


def setting(name, config, base="roberta", head=None, labels=LABELS, head_class=ClassificationHead, link="softmax", adapter="task", neighbors=(), safetensors=False, edit=None,
            **more):
    """NEIGHBORS: other adapters in the same model, each with a head.  EDIT: fields put into adapter_config.json afterwards."""
    def answers(model):
        return Answers(logits(model, ROWS), labels, link)

    def save(base_folder, out):
        model = AutoAdapterModel.from_pretrained(base_folder)
        for one in [*neighbors, adapter]:
            model.add_adapter(one, config=config)
            options = {"num_labels": max(1, len(labels)), **({"id2label": dict(enumerate(labels))} if labels else {}), **(head or {})}
            model.add_prediction_head(head_class(model, one, **options))
        model.set_active_adapters(adapter)
        randomize(model, is_new(AutoAdapterModel.from_pretrained(base_folder)))
        model.save_adapter(out, adapter, use_safetensors=safetensors)
        if edit:
            with open(out + "/adapter_config.json") as file:
                written = json.load(file)
            written["config"].update(edit)
            with open(out + "/adapter_config.json", "w") as file:
                json.dump(written, file, indent=2)
        return answers(model)

    def load(base_folder, folder):
        model = AutoAdapterModel.from_pretrained(base_folder)
        model.load_adapter(folder, set_active=True)
        return answers(model)
    return Case(f"adapterhub: {name}", base, save, load, to="adapterhub", **more)


def static_answers(base_folder, folder):
    model = AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=2)
    adapters.init(model)
    model.load_adapter(folder, set_active=True)
    return Answers(logits(model, ROWS), LABELS)


def static(name, config, base, own_class=False, **more):
    """An adapter of *ForSequenceClassification: its head has the model's own names, and no configuration."""
    def save(base_folder, out):
        model = AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=2, id2label=dict(enumerate(LABELS)),
                                                                   label2id={label: i for i, label in enumerate(LABELS)})
        adapters.init(model)
        model.add_adapter("task", config=config)
        model.set_active_adapters("task")
        randomize(model, lambda n: ".task." in n or "classifier" in n or n.startswith("head."))
        model.save_adapter(out, "task", with_head=True)
        return Answers(logits(model, ROWS), LABELS)

    def load(base_folder, folder):  # graft writes heads for AdapterModels
        model = AutoAdapterModel.from_pretrained(base_folder)
        model.load_adapter(folder, set_active=True)
        return Answers(logits(model, ROWS), LABELS)
    return Case(f"adapterhub: {name}", base, save, static_answers if own_class else load, to="adapterhub", **more)


def setup(name, compose, configs, fusion="dynamic", **more):
    """Adapters of CONFIGS (name -> configuration) as COMPOSE(*names) puts them together, saved as a set-up with a head."""
    def save(base_folder, out):
        model = AutoAdapterModel.from_pretrained(base_folder)
        for one, config in configs.items():
            model.add_adapter(one, config=config)
        composition = compose(*configs)
        if compose is Fuse:
            model.add_adapter_fusion(composition, config=fusion)
        model.add_classification_head("task", num_labels=2, id2label=dict(enumerate(LABELS)))
        model.set_active_adapters(composition)
        model.active_head = "task"
        randomize(model, is_new(AutoAdapterModel.from_pretrained(base_folder)))
        model.save_adapter_setup(out, composition, head_setup="task")
        return Answers(logits(model, ROWS), LABELS)

    def load(base_folder, folder):
        model = AutoAdapterModel.from_pretrained(base_folder)
        model.load_adapter_setup(folder, set_active=True)
        return Answers(logits(model, ROWS), LABELS)
    return Case(f"adapterhub: {name}", "roberta", save, load, to="adapterhub", **more)


def parent(name, save_parent, **more):
    """A folder of several adapters, which is no adapter itself."""
    def save(base_folder, out):
        model = AutoAdapterModel.from_pretrained(base_folder)
        for one in ("first", "second"):
            model.add_adapter(one, config=SeqBnConfig(reduction_factor=2))
            model.add_classification_head(one, num_labels=2)
        save_parent(model, out)
        model.set_active_adapters("first")
        return Answers(logits(model, ROWS), None)
    return Case(f"adapterhub: {name}", "roberta", save, golden=False, **more)


def bottleneck(**fields):
    return BnConfig(**{**dict(mh_adapter=True, output_adapter=True, reduction_factor=2, non_linearity="relu"), **fields})


ACTIVATIONS = ["gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_accurate", "laplace", "leaky_relu", "leakyrelu", "linear", "mish",
               "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "silu", "swish", "tanh"]
ON_OFF = (True, False)

CASES = [
    setting("double_seq_bn", DoubleSeqBnConfig(reduction_factor=2)),
    setting("seq_bn", SeqBnConfig(reduction_factor=2)),
    setting("double_seq_bn, bert", DoubleSeqBnConfig(reduction_factor=2), base="bert"),
    setting("seq_bn, bert", SeqBnConfig(reduction_factor=2), base="bert"),
    setting("seq_bn, safetensors", SeqBnConfig(reduction_factor=2), safetensors=True),
    setting("par_bn", adapters.ParBnConfig(reduction_factor=2)),
    setting("par_bn, bert", adapters.ParBnConfig(reduction_factor=2), base="bert"),
    setting("scaled_par_bn", adapters.ParBnConfig(reduction_factor=2, scaling="learned")),
    setting("adapter_plus", adapters.AdapterPlusConfig(reduction_factor=2, stochastic_depth=0.0)),
    setting("double_seq_bn_inv", adapters.DoubleSeqBnInvConfig(reduction_factor=2)),
    setting("seq_bn_inv", adapters.SeqBnInvConfig(reduction_factor=2)),
    setting("seq_bn_inv, bert", adapters.SeqBnInvConfig(reduction_factor=2), base="bert"),
    setting("seq_bn_inv, inv_adapter_reduction_factor 4", adapters.SeqBnInvConfig(reduction_factor=2, inv_adapter_reduction_factor=4)),
    setting("inv_adapter glow", bottleneck(inv_adapter="nice", inv_adapter_reduction_factor=2), edit={"inv_adapter": "glow"}, refused="glow"),  # the library's own fails
    *(setting(f"non_linearity {act}", SeqBnConfig(reduction_factor=2, non_linearity=act), golden=act in ("gelu", "gelu_new", "laplace", "mish", "relu", "silu", "swish")) for act in ACTIVATIONS),
    setting("non_linearity prelu", SeqBnConfig(reduction_factor=2, non_linearity="prelu"), refused="prelu"),
    *(setting(f"original_ln before {before:d} after {after:d}, residual_before_ln {residual}",
              bottleneck(original_ln_before=before, original_ln_after=after, residual_before_ln=residual))
      for before, after, residual in itertools.product(ON_OFF, ON_OFF, (True, False, "post_add")) if before or residual != "post_add"),  # the library fails without
    *(setting(f"ln before {before:d} after {after:d}, adapter_residual_before_ln {residual:d}, original_ln_before {original:d}",
              bottleneck(original_ln_before=original, ln_before=before, ln_after=after, adapter_residual_before_ln=residual))
      for before, after, residual, original in [(True, False, False, False), (False, True, False, False), (False, True, True, True), (True, True, True, False)]),
    setting("mh_adapter alone", bottleneck(output_adapter=False)),
    setting("mh_adapter alone, original_ln_before", bottleneck(output_adapter=False, original_ln_before=True)),
    setting("output_adapter alone", bottleneck(mh_adapter=False)),
    setting("is_parallel, both", bottleneck(is_parallel=True)),
    setting("is_parallel, mh_adapter alone", bottleneck(is_parallel=True, output_adapter=False)),
    setting("is_parallel, ln_before, ln_after", bottleneck(is_parallel=True, ln_before=True, ln_after=True)),
    setting("is_parallel, use_gating", bottleneck(is_parallel=True, use_gating=True)),
    setting("scaling 4", bottleneck(scaling=4.0)),
    setting("scaling 0.5, original_ln_before", bottleneck(scaling=0.5, original_ln_before=True)),
    setting("scaling learned", bottleneck(scaling="learned")),
    setting("scaling channel", bottleneck(scaling="channel")),
    setting("use_gating", bottleneck(use_gating=True)),
    setting("use_gating, original_ln_before", bottleneck(use_gating=True, original_ln_before=True)),
    setting("reduction_factor by layer", bottleneck(reduction_factor={"0": 2, "1": 4})),
    setting("reduction_factor with a default", bottleneck(reduction_factor={"1": 4, "default": 1})),
    setting("reduction_factor 0.5", bottleneck(reduction_factor=0.5)),
    setting("leave_out the first layer", bottleneck(leave_out=[0])),
    setting("leave_out the last layer", bottleneck(leave_out=[1])),
    setting("dropout, init_weights_seed, init_weights", bottleneck(dropout=0.1, init_weights_seed=7, init_weights="mam_adapter")),
    setting("stochastic_depth", bottleneck(), edit={"stochastic_depth": 0.1}),  # in training alone; the library wants torchvision for it

    setting("head of one layer", SeqBnConfig(reduction_factor=2), head=dict(layers=1)),
    setting("head of one layer, bert", SeqBnConfig(reduction_factor=2), head=dict(layers=1), base="bert"),
    setting("head of three layers", SeqBnConfig(reduction_factor=2), head=dict(layers=3)),
    setting("head with relu", SeqBnConfig(reduction_factor=2), head=dict(activation_function="relu")),
    setting("head with gelu", SeqBnConfig(reduction_factor=2), head=dict(activation_function="gelu", layers=3)),
    setting("head without an activation", SeqBnConfig(reduction_factor=2), head=dict(activation_function=None)),
    setting("head without biases", SeqBnConfig(reduction_factor=2), head=dict(bias=False)),
    setting("head with dropout_prob", SeqBnConfig(reduction_factor=2), head=dict(dropout_prob=0.3)),
    setting("head on the pooler, bert", SeqBnConfig(reduction_factor=2), head=dict(use_pooler=True, layers=1), base="bert"),
    setting("head of two layers on the pooler, bert", SeqBnConfig(reduction_factor=2), head=dict(use_pooler=True), base="bert"),
    setting("head of three labels", SeqBnConfig(reduction_factor=2), labels=["no", "yes", "perhaps"]),
    setting("head without names", SeqBnConfig(reduction_factor=2), labels=["0", "1"], head=dict(id2label=None)),
    setting("head of one number", SeqBnConfig(reduction_factor=2), labels=[], link="identity"),
    setting("head of many labels at once", SeqBnConfig(reduction_factor=2), head_class=MultiLabelClassificationHead, link="sigmoid"),
    static("static head, roberta", SeqBnConfig(reduction_factor=2), "roberta"),
    static("static head, bert", SeqBnConfig(reduction_factor=2), "bert"),
    static("static head, lora", adapters.LoRAConfig(r=2), "roberta"),
    setting("sst beside sst2", SeqBnConfig(reduction_factor=2), adapter="sst", neighbors=["sst2"]),
    setting("sst2 beside sst", SeqBnConfig(reduction_factor=2), adapter="sst2", neighbors=["sst"]),

    setting("lora", adapters.LoRAConfig(r=2, alpha=3)),
    setting("lora, bert", adapters.LoRAConfig(r=2, alpha=3), base="bert"),
    setting("lora, attn_matrices q k v", adapters.LoRAConfig(r=2, attn_matrices=["q", "k", "v"])),
    setting("lora, intermediate and output", adapters.LoRAConfig(r=2, intermediate_lora=True, output_lora=True)),
    setting("lora, output alone", adapters.LoRAConfig(r=2, selfattn_lora=False, output_lora=True)),
    setting("lora, leave_out", adapters.LoRAConfig(r=2, leave_out=[0])),
    setting("lora, dropout, init_weights bert", adapters.LoRAConfig(r=2, dropout=0.1, init_weights="bert")),
    setting("lora, use_gating", adapters.LoRAConfig(r=2, use_gating=True)),
    setting("lora, composition_mode scale", adapters.LoRAConfig(r=1, composition_mode="scale")),
    setting("dora", adapters.DoRAConfig(r=2)),
    setting("ia3", adapters.IA3Config()),
    setting("ia3, bert", adapters.IA3Config(), base="bert"),
    setting("ia3, output and leave_out", adapters.IA3Config(output_lora=True, leave_out=[1])),
    setting("ia3, use_gating", adapters.IA3Config(use_gating=True)),

    setting("prefix_tuning", adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=6)),
    setting("prefix_tuning, bert", adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=6), base="bert"),
    setting("prefix_tuning_flat", adapters.PrefixTuningConfig(flat=True, prefix_length=3)),
    setting("prefix_tuning_flat, bert", adapters.PrefixTuningConfig(flat=True, prefix_length=3), base="bert"),
    setting("prefix_tuning, relu and dropout", adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=6, non_linearity="relu", dropout=0.1)),
    setting("prefix_tuning, leave_out", adapters.PrefixTuningConfig(flat=True, prefix_length=3, leave_out=[0])),
    setting("prefix_tuning, use_gating", adapters.PrefixTuningConfig(flat=True, prefix_length=3, use_gating=True)),
    setting("prefix_tuning, gates of their own", adapters.PrefixTuningConfig(flat=True, prefix_length=3, use_gating=True, shared_gating=False)),

    setup("fusion", Fuse, {"a": SeqBnConfig(reduction_factor=2), "b": SeqBnConfig(reduction_factor=4)}),
    setup("fusion, static", Fuse, {"a": SeqBnConfig(reduction_factor=2), "b": SeqBnConfig(reduction_factor=4)}, fusion="static"),
    setup("fusion, double_seq_bn", Fuse, {"a": DoubleSeqBnConfig(reduction_factor=2), "b": DoubleSeqBnConfig(reduction_factor=2)}),
    setup("fusion of three", Fuse, {name: SeqBnConfig(reduction_factor=2) for name in "abc"}),
    setup("fusion, every field turned", Fuse, {"a": SeqBnConfig(reduction_factor=2), "b": SeqBnConfig(reduction_factor=4)},
          fusion=DynamicAdapterFusionConfig(key=False, query_before_ln=True, residual_before=True, value_before_softmax=False, dropout_prob=0.1)),
    setup("fusion of parallel adapters", Fuse, {"a": adapters.ParBnConfig(reduction_factor=2), "b": adapters.ParBnConfig(reduction_factor=4, scaling="learned")}),
    setup("fusion of parallel adapters, residual_before", Fuse, {name: adapters.ParBnConfig(reduction_factor=2) for name in "ab"},
          fusion=DynamicAdapterFusionConfig(query_before_ln=True, residual_before=True), golden=False),
    setup("fusion of general adapters", Fuse, {"a": bottleneck(ln_before=True, use_gating=True), "b": bottleneck(original_ln_before=True, residual_before_ln="post_add", ln_after=True, scaling="channel")}),
    setup("fusion, the last one's form, residual_before_ln 0", Fuse, {"a": bottleneck(scaling=4.0), "b": bottleneck(original_ln_before=True, original_ln_after=False, residual_before_ln=False)}),
    setup("fusion of two kinds", Fuse, {"a": adapters.ParBnConfig(reduction_factor=2), "b": SeqBnConfig(reduction_factor=2)}, golden=False),
    setup("fusion of invertible adapters", Fuse, {"a": adapters.SeqBnInvConfig(reduction_factor=2), "b": adapters.SeqBnInvConfig(reduction_factor=4)}),
    setup("fusion, reduction_factor by layer", Fuse, {"a": bottleneck(reduction_factor={"0": 2, "1": 4}), "b": bottleneck(reduction_factor=2)}, golden=False),
    setup("fusion with temperature", Fuse, {"a": SeqBnConfig(reduction_factor=2)}, fusion=DynamicAdapterFusionConfig(temperature=True), refused="temperature"),
    setup("stack", Stack, {"a": SeqBnConfig(reduction_factor=2), "b": SeqBnConfig(reduction_factor=2)}, refused="stack"),
    parent("save_all_adapters", lambda model, out: model.save_all_adapters(out), refused="first, second"),

    setting("compacter", adapters.CompacterConfig(phm_dim=2, reduction_factor=2), refused="ompacter"),
    setting("compacter++", adapters.CompacterPlusPlusConfig(phm_dim=2, reduction_factor=2), refused="ompacter"),
    setting("vera", adapters.VeraConfig(r=2), refused="VeRA"),
    setting("loreft", adapters.LoReftConfig(), refused="ReFT"),
    setting("prompt_tuning", adapters.PromptTuningConfig(prompt_length=3), refused="rompt tuning"),
    setting("mam", adapters.MAMConfig(adapters.PrefixTuningConfig(bottleneck_size=6, prefix_length=3), adapters.ParBnConfig(reduction_factor=2)), refused="union"),
    setting("unipelt", adapters.UniPELTConfig(adapters.PrefixTuningConfig(prefix_length=3, bottleneck_size=6, use_gating=True),
                                              SeqBnConfig(reduction_factor=2, use_gating=True), adapters.LoRAConfig(r=2, use_gating=True)), refused="union"),
    setting("mtl_lora", adapters.MTLLoRAConfig(r=2), refused="lora"),
]
