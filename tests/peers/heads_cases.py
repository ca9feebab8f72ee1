"""transformers' fine-tuned checkpoints, answered with the head that they hold: `graft predict --model_path FOLDER`; and what is tuned around them.

Add a case: a line in CASES.  classifier(NAME, CLASS, CONFIG) saves a random model of that class, FIELDS of its config.json set by hand.
"""
import json, os
import peft, torch, transformers
from models import HAS_ADAPTERS, ROWS, bert_config, randomized, roberta_config
from peers import Answers, Case, LABELS, logits, randomize
if HAS_ADAPTERS:
    import adapters

FAMILIES = {  # name -> class and configuration: a new family is a line here
    "roberta": (transformers.RobertaForSequenceClassification, roberta_config),
    "bert": (transformers.BertForSequenceClassification, bert_config),
}
THREE = ["no", "perhaps", "yes, always"]


def model_of(family, labels, seed=3, **fields):
    model_class, config = FAMILIES[family]
    if labels:
        fields = dict(num_labels=len(labels), id2label=dict(enumerate(labels)), label2id={t: i for i, t in enumerate(labels)}, **fields)
    return randomized(model_class(config(**fields)), seed)


def edit(path, fields):
    about = {}
    if os.path.exists(path):
        with open(path) as file:
            about = json.load(file)
    about.update(fields)
    with open(path, "w") as file:
        json.dump(about, file, indent=2)


def exported(labels, link):
    def answers(folder):
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
        if labels and list(model.config.id2label.values()) != labels:
            raise AssertionError(f"labels {model.config.id2label}")
        return Answers(logits(model, ROWS), labels, link)
    return answers


def classifier(name, family, labels=LABELS, link="softmax", fields={}, beside={}, **more):
    """FIELDS of the configuration; BESIDE: of config_sentence_transformers.json."""
    def save(_, out):
        model = model_of(family, labels, **{k: v for k, v in fields.items() if k in ("num_labels", "problem_type")})
        model.save_pretrained(out)
        edit(out + "/config.json", fields)
        if beside:
            edit(out + "/config_sentence_transformers.json", beside)
        return Answers(logits(model, ROWS), labels, link)
    return Case(f"heads: {name}, {family}", "", save, exported=exported(labels, link), **more)


def everywhere(name, *arguments, **more):
    return [classifier(name, family, *arguments, **more) for family in FAMILIES]


def score(function):
    return {"num_labels": 1, "sentence_transformers": {"activation_fn": function, "version": "5.1.0"}}


CASES = [
    *everywhere("single label"),
    *everywhere("single label, of three", THREE, fields={"problem_type": "single_label_classification"}),
    *everywhere("multi-label", THREE, "sigmoid", fields={"problem_type": "multi_label_classification"}),
    classifier("multi-label of one", "roberta", ["toxic"], "sigmoid", fields={"problem_type": "multi_label_classification"}),
    *everywhere("regression", [], "identity", fields={"num_labels": 1, "problem_type": "regression"}),
    classifier("one number that nobody explains", "roberta", [], "identity", fields={"num_labels": 1}),
    *everywhere("regression of three", THREE, "identity", fields={"problem_type": "regression"}),
    *everywhere("cross-encoder", [], "sigmoid", fields=score("torch.nn.modules.activation.Sigmoid")),
    classifier("cross-encoder without a function", "bert", [], "identity", fields=score("torch.nn.modules.linear.Identity")),
    classifier("cross-encoder of before version 4", "bert", [], "identity", fields={"num_labels": 1, "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}),
    classifier("cross-encoder that says its version alone", "bert", [], "sigmoid", fields={"num_labels": 1, "sentence_transformers": {"version": "4.0.1"}}),
    classifier("cross-encoder of version 6", "bert", [], "sigmoid", fields={"num_labels": 1},
               beside={"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.activation.Sigmoid"}),
    classifier("cross-encoder with tanh", "bert", [], "identity", fields=score("torch.nn.modules.activation.Tanh"), refused="Tanh", golden=False),
]


def write_base(folder, family, labels=LABELS, **fields):
    """A checkpoint with a head, beside what is tuned around it."""
    model = model_of(family, labels, 5, **fields)
    model.save_pretrained(folder)
    return model


def around(name, family, tune, base_fields={}, labels=LABELS, link="softmax", head_rows=None, **more):
    """What TUNE(model) -> (model, save(out)) makes of a checkpoint; graft answers with --model_path {out}/base."""
    def save(_, out):
        model, write = tune(write_base(out + "/base", family, labels, **base_fields))
        write(out + "/tuned")
        return Answers(logits(model, ROWS), labels if head_rows is None else head_rows, link)
    return Case(f"heads: {name}, {family}", "", save, adapter="tuned", model="base", exported=exported(labels, link) if "lora" in name else None, **more)


def lora(saved=None, task=None, **more):
    def tune(model):
        model = peft.get_peft_model(model, peft.LoraConfig(task_type=task, r=2, lora_alpha=3, target_modules=["query", "value"], modules_to_save=saved, **more))
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        randomize(model, lambda n: n in trained)
        return model, model.save_pretrained
    return tune


def bottleneck(with_head, config="SeqBnConfig"):
    def tune(model):
        adapters.init(model)
        model.add_adapter("task", config=getattr(adapters, config)(reduction_factor=2))
        model.set_active_adapters("task")
        randomize(model, lambda n: ".task." in n or (with_head and "classifier" in n))
        return model, lambda out: model.save_adapter(out, "task", with_head=with_head)
    return tune


CASES += [
    *(around("lora without a head", family, lora()) for family in FAMILIES),
    *(around("lora with a head of its own", family, lora(task="SEQ_CLS")) for family in FAMILIES),
    around("lora without a head, multi-label", "roberta", lora(), dict(problem_type="multi_label_classification"), THREE, "sigmoid"),
]


def without_pooler(name, **head):
    """An AdapterModel's adapter with a head of two layers around a BERT as masked-LM pretraining leaves it."""
    def save(_, out):
        transformers.BertForMaskedLM(bert_config()).save_pretrained(out + "/base")
        model = adapters.AutoAdapterModel.from_pretrained(out + "/base")
        model.add_adapter("task", config=adapters.SeqBnConfig(reduction_factor=2))
        model.add_classification_head("task", num_labels=2, id2label=dict(enumerate(LABELS)), **head)
        model.set_active_adapters("task")
        randomize(model, lambda n: "task" in n)
        model.save_adapter(out + "/tuned", "task")
        return Answers(logits(model, ROWS), LABELS)
    return Case(f"heads: {name}", "", save, adapter="tuned", model="base")


if HAS_ADAPTERS:
    CASES += [
        *(around("adapter without a head", family, bottleneck(False)) for family in FAMILIES),
        *(around("adapter with a head of its own", family, bottleneck(True)) for family in FAMILIES),
        around("double_seq_bn without a head", "roberta", bottleneck(False, "DoubleSeqBnConfig")),
        without_pooler("bert without a pooler, an adapter with a head of two layers"),
    ]
