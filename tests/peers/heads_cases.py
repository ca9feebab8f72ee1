"""transformers' fine-tuned checkpoints, answered with the head that they hold: `graft predict --model_path FOLDER`; and what is tuned around them.

Add a case: a line in CASES.  classifier(NAME, CLASS, CONFIG) saves a random model of that class, FIELDS of its config.json set by hand.
"""
import json, os
import adapters, peft, torch, transformers
from models import ROWS, bert_config, randomized, roberta_config
from peers import Answers, Case, LABELS, logits, randomize

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


def classifier(name, family, labels=LABELS, link="softmax", fields={}, beside={}, **more):
    """FIELDS of the configuration; BESIDE: of config_sentence_transformers.json."""
    def save(_, out):
        model = model_of(family, labels, **{k: v for k, v in fields.items() if k in ("num_labels", "problem_type")})
        model.save_pretrained(out)
        edit(out + "/config.json", fields)
        if beside:
            edit(out + "/config_sentence_transformers.json", beside)
        return Answers(logits(model, ROWS), labels, link)
    return Case(f"heads: {name}, {family}", "", save, **more)


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
    classifier("cross-encoder with tanh", "bert", [], "identity", fields=score("torch.nn.modules.activation.Tanh"), refused="Tanh"),
]
