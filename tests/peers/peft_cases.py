"""PEFT: its tuners, as PeftModel saves and loads them around transformers' classifiers.

Add a case: a line in CASES.  setting(NAME, CONFIG) wraps *ForSequenceClassification of the base, with two labels, as get_peft_model does.
"""
import dataclasses
import peft
import torch
from peft import IA3Config, LoraConfig
from transformers import AutoModelForSequenceClassification
from models import ROWS
from peers import Answers, Case, logits, randomize


def setting(name, config, base="roberta", labels=2, change=None, save=None, **more):
    """CHANGE(model) after everything that is trained got random values; SAVE(model, folder) in place of save_pretrained."""
    def write(base_folder, out):
        model = peft.get_peft_model(AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=labels), config())
        trained = {n for n, p in model.named_parameters() if p.requires_grad}
        randomize(model, lambda n: n in trained)
        if change:
            change(model)
        (save or (lambda m, folder: m.save_pretrained(folder)))(model, out)
        return Answers(logits(model, ROWS), None if labels > 1 else [], "softmax" if labels > 1 else "identity")

    def load(base_folder, folder):
        model = AutoModelForSequenceClassification.from_pretrained(base_folder, num_labels=labels)
        return Answers(logits(peft.PeftModel.from_pretrained(model, folder), ROWS), None if labels > 1 else [], "softmax" if labels > 1 else "identity")
    return Case(f"peft: {name}", base, write, load, to="peft", **more)


def lora(name, base="roberta", labels=2, refused="", golden=False, change=None, save=None, **options):
    """Goldens are few: a folder each."""
    options = {"task_type": "SEQ_CLS", "r": 2, "lora_alpha": 3, "target_modules": ["query", "value"], **options}
    return setting(name, lambda: LoraConfig(**options), base, labels, change, save, refused=refused, golden=golden)


def ia3(name, base="roberta", golden=False, **options):
    return setting(name, lambda: IA3Config(**{"task_type": "SEQ_CLS", **options}), base, golden=golden)


def other(name, config, refused):
    return setting(name, config, refused=refused)


def half(kind):
    """Makes every number that is trained one that KIND has, too."""
    def change(model):
        for p in model.parameters():
            if p.requires_grad:
                p.data = p.data.to(kind).float()
    return change


def eva(model):
    """As its initialization leaves a model: ranks that were dealt out anew by what the layers read."""
    batches = [{"input_ids": torch.tensor([row["input_ids"]])} for row in ROWS for _ in range(4)]
    peft.initialize_lora_eva_weights(model, dataloader=batches, show_progress_bar=False)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    randomize(model, lambda n: n in trained)


def save_as(kind):
    """The adapter's tensors in another type, as a model that was tuned in it saves them."""
    def save(model, folder):
        state = {name: value.to(kind) for name, value in model.state_dict().items()}
        model.save_pretrained(folder, state_dict=state)
    return save


def merged(case):
    """The adapter of CASE as part of the encoder: transformers alone answer from the folder."""
    def load(base_folder, folder):
        return Answers(logits(AutoModelForSequenceClassification.from_pretrained(folder), ROWS), None)
    return dataclasses.replace(case, name=case.name.replace("peft: ", "peft, merged: "), load=load, to="encoder", golden=False)


BOTH = ["roberta", "bert"]
TOKENS = [1, 2, 5]
CASES = [
    lora("lora, query and value", golden=True),
    lora("lora, bert", base="bert", golden=True),
    lora("lora, regression", labels=1),
    lora("lora, rslora", use_rslora=True, target_modules=["key", "intermediate.dense"], golden=True),
    lora("lora, targets by a pattern", target_modules=r".*layer\.1\..*(query|dense)"),
    lora("lora, full names", target_modules=["roberta.encoder.layer.0.attention.self.key", "roberta.encoder.layer.1.output.dense"]),
    lora("lora, layers_to_transform", layers_to_transform=[1]),
    lora("lora, layers_pattern", layers_to_transform=[0], layers_pattern="layer"),
    lora("lora, exclude_modules", target_modules=["query", "dense"], exclude_modules=["intermediate.dense"]),
    lora("lora, rank_pattern", target_modules=["query", "dense"], rank_pattern={"query": 4, r"layer.1.output.dense": 1}, golden=True),
    lora("lora, alpha_pattern", target_modules=["query", "dense"], alpha_pattern={r"layer\.1.*query": 7, "output.dense": 1.5}, golden=True),
    lora("lora, patterns and rslora", target_modules=["query", "dense"], rank_pattern={"query": 4}, alpha_pattern={"query": 5}, use_rslora=True),
    lora("lora, a rank for each", target_modules=["query", "key"], rank_pattern={"query": 5, "key": 3}, alpha_pattern={"query": 9}),
    *(lora(f"lora, {targets}, {base}", base, target_modules=targets if targets == "all-linear" else [targets], golden=targets == "all-linear") for base in BOTH for targets in ("all-linear", "dense")),
    lora("lora, classifier targets", target_modules=["query", "classifier.dense", "classifier.out_proj"]),
    lora("lora, bias all", bias="all", golden=True),
    lora("lora, bias all, bert", base="bert", bias="all", golden=True),
    lora("lora, bias lora_only", bias="lora_only", target_modules=["query", "dense"]),
    lora("lora, lora_bias", lora_bias=True, target_modules=["query", "dense"], golden=True),
    lora("lora, LayerNorms", modules_to_save=["LayerNorm", "classifier"], golden=True),
    lora("lora, LayerNorms and pooler, bert", base="bert", modules_to_save=["LayerNorm", "pooler"]),
    lora("lora, some LayerNorms", modules_to_save=["layer.1.output.LayerNorm"]),
    lora("lora, word embeddings trained", modules_to_save=["word_embeddings"]),
    lora("lora, a dense layer trained", modules_to_save=["encoder.layer.1.intermediate"]),
    lora("lora, bias all and LayerNorms", bias="all", modules_to_save=["LayerNorm"], target_modules=["dense"]),
    lora("lora, initialized gaussian", init_lora_weights="gaussian"),
    lora("lora, initialized orthogonal", init_lora_weights="orthogonal"),
    lora("lora, not initialized", init_lora_weights=False),
    lora("lora, initialized eva", init_lora_weights="eva", eva_config=peft.EvaConfig(rho=2.0), target_modules=["query", "value", "dense"], change=eva),
    lora("lora, dropout", lora_dropout=0.3),
    lora("lora, saved in bf16", change=half(torch.bfloat16), save=save_as(torch.bfloat16)),
    lora("lora, saved in f16", change=half(torch.float16), save=save_as(torch.float16)),
    lora("lora, saved by torch.save", save=lambda m, folder: m.save_pretrained(folder, safe_serialization=False)),
    lora("dora", use_dora=True, golden=True),
    lora("dora, dense, bert", base="bert", use_dora=True, target_modules=["dense"], golden=True),
    lora("dora, patterns and biases", use_dora=True, use_rslora=True, bias="all", rank_pattern={"query": 4}, alpha_pattern={"value": 5}),
    ia3("ia3", golden=True),
    ia3("ia3, bert", base="bert", golden=True),
    ia3("ia3, dense", base="bert", target_modules=["dense", "key"], feedforward_modules=["dense"]),
    ia3("ia3, outputs alone", target_modules=["dense", "key"], feedforward_modules=[]),
    ia3("ia3, LayerNorms", modules_to_save=["LayerNorm"]),
    *(lora(f"{name}, the base's head, {base}", f"{base}_classifier", task_type=None, golden=name == "dora, all-linear", **options) for base in BOTH for name, options in {
        "lora, no head": {},
        "dora, all-linear": {"target_modules": "all-linear", "use_dora": True},
        "lora, all-linear, bias all": {"target_modules": "all-linear", "bias": "all"},
    }.items()),
    lora("lora, classifier targets on the base's head", "roberta_classifier", task_type=None, target_modules=["query", "classifier.out_proj"]),
    ia3("ia3, classifier targets on the base's head", "bert_classifier", task_type=None, target_modules=["key", "pooler.dense", "classifier"], feedforward_modules=["pooler.dense"]),

    lora("lora, initialized pissa", init_lora_weights="pissa", refused="changes the encoder's weights, too"),
    lora("lora, initialized olora", init_lora_weights="olora", refused="changes the encoder's weights, too"),
    other("adalora", lambda: peft.AdaLoraConfig(task_type="SEQ_CLS", total_step=10, target_modules=["query"]), "AdaLoRA"),
    other("loha", lambda: peft.LoHaConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]), "LoHa"),
    other("lokr", lambda: peft.LoKrConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]), "LoKr"),
    other("oft", lambda: peft.OFTConfig(task_type="SEQ_CLS", oft_block_size=4, target_modules=["query"]), "OFT"),
    other("boft", lambda: peft.BOFTConfig(task_type="SEQ_CLS", boft_block_size=4, target_modules=["query"]), "BOFT"),
    other("vera", lambda: peft.VeraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]), "VeRA"),
    other("ln tuning", lambda: peft.LNTuningConfig(task_type="SEQ_CLS", target_modules=["LayerNorm"]), "LN tuning"),
    other("fourierft", lambda: peft.FourierFTConfig(task_type="SEQ_CLS", n_frequency=4, target_modules=["query"]), "FourierFT"),
    other("prompt tuning", lambda: peft.PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2), "prompt tuning"),
    other("p-tuning", lambda: peft.PromptEncoderConfig(task_type="SEQ_CLS", num_virtual_tokens=2, encoder_hidden_size=4), "p-tuning"),
    lora("lora, trainable tokens", trainable_token_indices=TOKENS, refused="trainable_token_indices"),
    lora("lora, word embeddings targeted", target_modules=["query", "word_embeddings"], refused="word embeddings"),
]
CASES += [merged(case) for case in CASES if not case.refused and case.name.removeprefix("peft: ") in
          ("lora, rank_pattern", "lora, all-linear, bert", "lora, bias all", "lora, LayerNorms", "lora, lora_bias", "dora", "dora, dense, bert", "ia3", "ia3, dense",
           "dora, all-linear, the base's head, bert", "lora, classifier targets on the base's head")]
