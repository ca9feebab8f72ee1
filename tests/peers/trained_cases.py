"""What graft trains, loaded by the libraries: adapters that convert-adapter turned into their form, and whole models as they are saved.

Add a case: a line in CASES.  trained(NAME, FLAGS) trains on a few made-up rows with these flags of graft train-adapter.
"""
import json, os, shutil
import peft
from transformers import AutoModelForSequenceClassification
from models import ROWS
from peers import Answers, Case, LABELS, logits


def adapterhub(base_folder, folder):
    from adapters import AutoAdapterModel
    model = AutoAdapterModel.from_pretrained(base_folder)
    model.load_adapter(folder, set_active=True)
    return Answers(logits(model, ROWS), LABELS)


def lora(base_folder, folder):
    model = AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=2)
    return Answers(logits(peft.PeftModel.from_pretrained(model, folder), ROWS), LABELS)


def whole(base_folder, run):
    """model_full.safetensors of a run is a model of transformers, once a config.json stands beside it."""
    os.makedirs(run + "/hf", exist_ok=True)
    shutil.copy(run + "/model_full.safetensors", run + "/hf/model.safetensors")
    shutil.copy(base_folder + "/config.json", run + "/hf")
    return Answers(logits(AutoModelForSequenceClassification.from_pretrained(run + "/hf", num_labels=2), ROWS), LABELS)


def several_at_once(base_folder, folder):
    """A model of transformers that says itself that several labels may hold."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    assert model.config.problem_type == "multi_label_classification"
    return Answers(logits(model, ROWS), list(model.config.id2label.values()), "sigmoid")


def multi_label_head(base_folder, folder):
    answers = adapterhub(base_folder, folder)
    return Answers(answers.numbers, LABELS, "sigmoid")


def trained(name, flags, load, to="", base="roberta", **more):
    return Case(f"trained: {name}", base, None, load, to=to, trains=flags, **more)


FROZEN = ["--adapter_size", "4", "--adapter_layer_norm", "frozen"]
CASES = [case for base in ("roberta", "bert") for case in (
    trained(f"houlsby, {base}", FROZEN, adapterhub, "adapterhub", base),
    trained(f"pfeiffer, relu, {base}", [*FROZEN, "--adapter_placement", "pfeiffer", "--adapter_hidden_act", "relu"], adapterhub, "adapterhub", base),
    trained(f"parallel, scaled, {base}", [*FROZEN, "--adapter_placement", "parallel", "--adapter_scaling", "4"], adapterhub, "adapterhub", base),
    trained(f"general, {base}", [*FROZEN, "--adapter_placement", "general", "--adapter_settings",
                                 json.dumps({"mh_adapter": True, "original_ln_before": True, "ln_before": True, "scaling": "learned"})], adapterhub, "adapterhub", base),
    trained(f"invertible, {base}", [*FROZEN, "--adapter_placement", "general", "--adapter_settings", json.dumps({"inv_adapter": "nice"})], adapterhub, "adapterhub", base),
    trained(f"several labels at once, houlsby, {base}", FROZEN, multi_label_head, "adapterhub", base, several=True),
    trained(f"several labels at once, lora merged, {base}", ["--adapter_method", "lora", "--lora_r", "2"], several_at_once, "encoder", base, several=True),
    trained(f"lora, {base}", ["--adapter_method", "lora", "--lora_r", "2", "--lora_alpha", "3"], lora, "peft", base),
    trained(f"dora, {base}", ["--adapter_method", "lora", "--lora_dora", "--lora_r", "2", "--lora_target", "query,value,intermediate.dense"], lora, "peft", base),
    trained(f"lora, dense, {base}", ["--adapter_method", "lora", "--lora_r", "2", "--lora_target", "query,intermediate.dense,output.dense"], lora, "peft", base),
    trained(f"everything, {base}", ["--tune", "full", "--do_save_full"], whole, base=base),
    trained(f"head, {base}", ["--tune", "head", "--do_save_full"], whole, base=base))]
