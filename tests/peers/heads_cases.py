"""transformers' fine-tuned checkpoints, answered with the head that they hold: `graft predict --model_path FOLDER`.

Add a case: a line in CASES.  classifier(NAME, CLASS, CONFIG) saves a random model of that class.
"""
import transformers
from models import ROWS, bert_config, randomized, roberta_config
from peers import Answers, Case, LABELS, logits


def classifier(name, model_class, config, labels=LABELS, link="softmax", **more):
    def save(_, out):
        if labels:
            config.num_labels, config.id2label, config.label2id = len(labels), dict(enumerate(labels)), {t: i for i, t in enumerate(labels)}
        model = randomized(model_class(config), 3)
        model.save_pretrained(out)
        return Answers(logits(model, ROWS), labels, link)
    return Case(f"heads: {name}", "", save, **more)


CASES = [
    classifier("RobertaForSequenceClassification", transformers.RobertaForSequenceClassification, roberta_config()),
    classifier("BertForSequenceClassification", transformers.BertForSequenceClassification, bert_config()),
    classifier("RobertaForSequenceClassification, regression", transformers.RobertaForSequenceClassification, roberta_config(num_labels=1), labels=[], link="identity"),
]
