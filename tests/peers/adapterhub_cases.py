"""AdapterHub's library (`adapters`): its configurations and heads, as RobertaAdapterModel and BertAdapterModel save and load them.

Add a case: a line in CASES.  setting(NAME, CONFIG) adds the adapter as model.add_adapter does, with a classification head whose options are `head`.
"""
import adapters
from adapters import AutoAdapterModel
from models import ROWS
from peers import Answers, Case, LABELS, logits, randomize


def answers(model):
    return Answers(logits(model, ROWS), LABELS)


def setting(name, config, base="roberta", head=None, **more):
    def save(base_folder, out):
        model = AutoAdapterModel.from_pretrained(base_folder)
        model.add_adapter("task", config=config)
        if head is not False:
            model.add_classification_head("task", num_labels=2, id2label=dict(enumerate(LABELS)), **(head or {}))
        model.set_active_adapters("task")
        trunk = {n for n, _ in AutoAdapterModel.from_pretrained(base_folder).named_parameters()}
        randomize(model, lambda n: n.replace(".base_layer", "") not in trunk)
        model.save_adapter(out, "task", with_head=head is not False)
        return answers(model)

    def load(base_folder, folder):
        model = AutoAdapterModel.from_pretrained(base_folder)
        model.load_adapter(folder, set_active=True)
        return answers(model)
    return Case(f"adapterhub: {name}", base, save, load, to="adapterhub", **more)


CASES = [
    setting("double_seq_bn", adapters.DoubleSeqBnConfig(reduction_factor=2)),
    setting("seq_bn", adapters.SeqBnConfig(reduction_factor=2)),
    setting("double_seq_bn, bert", adapters.DoubleSeqBnConfig(reduction_factor=2), base="bert"),
    setting("par_bn", adapters.ParBnConfig(reduction_factor=2)),
]
