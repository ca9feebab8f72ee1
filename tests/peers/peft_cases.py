"""PEFT: its tuners, as PeftModel saves and loads them around transformers' classifiers.

Add a case: a line in CASES.  setting(NAME, CONFIG) wraps *ForSequenceClassification of the base, with two labels, as get_peft_model does.
"""
import peft
from peft import LoraConfig
from transformers import AutoModelForSequenceClassification
from models import ROWS
from peers import Answers, Case, logits, randomize


def setting(name, config, base="roberta", **more):
    def save(base_folder, out):
        model = peft.get_peft_model(AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=2), config)
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        randomize(model, lambda n: n in trained)
        model.save_pretrained(out)
        return Answers(logits(model, ROWS), None)

    def load(base_folder, folder):
        model = AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=2)
        return Answers(logits(peft.PeftModel.from_pretrained(model, folder), ROWS), None)
    return Case(f"peft: {name}", base, save, load, to="peft", **more)


CASES = [
    setting("lora, query and value", LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, target_modules=["query", "value"])),
    setting("lora, bert", LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, target_modules=["query", "value"]), base="bert"),
    setting("lora, rslora", LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, use_rslora=True, target_modules=["key", "intermediate.dense"])),
    setting("dora", LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=3, use_dora=True, target_modules=["query", "value"])),
]
