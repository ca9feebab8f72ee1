"""The tiny random models that the cases stand on, and the rows that they answer. To add one: a function here, and its name in BASES."""
import json, os, shutil
import torch, transformers

HAS_ADAPTERS = int(transformers.__version__.split(".")[0]) < 5  # the newest that AdapterHub's library works with is 4
SHAPE = dict(vocab_size=40, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, hidden_act="gelu")
# first tokens differ: so much comes from them that answers would hardly do so otherwise
ROWS = [{"input_ids": row} for row in ([3, 32, 24, 39, 39, 22, 5, 22, 2], [33, 2], [38, 19, 14, 11, 2], [7, 8, 2, 2, 9, 10, 11, 2], [21, 20, 19])]


def roberta_config(**more):
    return transformers.RobertaConfig(**{**SHAPE, "max_position_embeddings": 18, "type_vocab_size": 1, **more})


def bert_config(**more):
    return transformers.BertConfig(**{**SHAPE, "max_position_embeddings": 16, "type_vocab_size": 2, **more})


SHAPES = [dict(vocab_size=40, hidden=8, layers=2, heads=2, inner=12), dict(vocab_size=41, hidden=12, layers=1, heads=3, inner=7), dict(vocab_size=50, hidden=20, layers=3, heads=1, inner=33)]


def usual(config, **more):
    """A configuration with BERT's names of fields."""
    def make(shape, act):
        return config(vocab_size=shape["vocab_size"], hidden_size=shape["hidden"], num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
                      intermediate_size=shape["inner"], max_position_embeddings=20, hidden_act=act, **more)
    return make


def distilbert(shape, act):
    return transformers.DistilBertConfig(vocab_size=shape["vocab_size"], dim=shape["hidden"], n_layers=shape["layers"], n_heads=shape["heads"], hidden_dim=shape["inner"],
                                         max_position_embeddings=18, activation=act)


def modernbert(**more):
    def make(shape, act):
        return transformers.ModernBertConfig(vocab_size=shape["vocab_size"], hidden_size=shape["hidden"], num_hidden_layers=shape["layers"], num_attention_heads=shape["heads"],
                                             intermediate_size=shape["inner"], max_position_embeddings=20, hidden_activation=act, local_attention=4, global_attn_every_n_layers=2,
                                             pad_token_id=1, bos_token_id=0, eos_token_id=2, cls_token_id=0, sep_token_id=2, **more)
    return make


FAMILIES = {  # name -> (configuration, class)
    "roberta": (usual(transformers.RobertaConfig, type_vocab_size=1), transformers.RobertaForSequenceClassification),
    "bert": (usual(transformers.BertConfig), transformers.BertForSequenceClassification),
    "xlm-roberta": (usual(transformers.XLMRobertaConfig, type_vocab_size=1), transformers.XLMRobertaForSequenceClassification),
    "camembert": (usual(transformers.CamembertConfig, type_vocab_size=1), transformers.CamembertForSequenceClassification),
    "distilbert": (distilbert, transformers.DistilBertForSequenceClassification),
    "electra": (usual(transformers.ElectraConfig, embedding_size=6), transformers.ElectraForSequenceClassification),
    "mpnet": (usual(transformers.MPNetConfig, relative_attention_num_buckets=32), transformers.MPNetForSequenceClassification),
    "deberta-v2": (usual(transformers.DebertaV2Config, relative_attention=True, share_att_key=True, position_buckets=4, max_relative_positions=-1, pos_att_type=["p2c", "c2p"],
                         norm_rel_ebd="layer_norm", position_biased_input=False), transformers.DebertaV2ForSequenceClassification),
    "deberta-v2, plain": (usual(transformers.DebertaV2Config, relative_attention=True, share_att_key=True, max_relative_positions=7, pos_att_type=["c2p"], type_vocab_size=2,
                                pooler_hidden_act="relu"), transformers.DebertaV2ForSequenceClassification),
    "modernbert": (modernbert(), transformers.ModernBertForSequenceClassification),
    "modernbert, biases": (modernbert(attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True, classifier_pooling="mean", classifier_activation="silu"),
                           transformers.ModernBertForSequenceClassification),
}


def randomized(model, seed):
    """Every parameter away from what it begins with, so that all of them matter; biases little, so that rows differ behind two layers."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            size = 1.0 if "word_embeddings" in name or "tok_embeddings" in name else 0.1 if p.dim() == 1 else 0.35
            p.add_(size * torch.randn(p.shape, generator=generator))
    return model.eval()


def labeled(config):
    return type(config).from_dict({**config.to_dict(), "id2label": {0: "no", 1: "yes"}, "label2id": {"no": 0, "yes": 1}})


BASES = {
    "roberta": lambda: randomized(transformers.RobertaModel(roberta_config(), add_pooling_layer=False), 1),
    "bert": lambda: randomized(transformers.BertModel(bert_config()), 2),
    "roberta_classifier": lambda: randomized(transformers.RobertaForSequenceClassification(labeled(roberta_config())), 5),
    "bert_classifier": lambda: randomized(transformers.BertForSequenceClassification(labeled(bert_config())), 6),
    "xlm_roberta": lambda: randomized(transformers.XLMRobertaModel(FAMILIES["xlm-roberta"][0](SHAPES[0], "gelu"), add_pooling_layer=False), 7),
    "distilbert": lambda: randomized(transformers.DistilBertModel(distilbert(SHAPES[0], "gelu")), 8),
    "mpnet": lambda: randomized(transformers.MPNetModel(FAMILIES["mpnet"][0](SHAPES[0], "gelu"), add_pooling_layer=False), 10),
    "deberta_v2": lambda: randomized(transformers.DebertaV2Model(FAMILIES["deberta-v2"][0](SHAPES[0], "gelu")), 11),
    "modernbert": lambda: randomized(transformers.ModernBertModel(FAMILIES["modernbert"][0](SHAPES[0], "gelu")), 12),
    "modernbert_biases": lambda: randomized(transformers.ModernBertModel(FAMILIES["modernbert, biases"][0](SHAPES[0], "gelu")), 14),
    "electra": lambda: randomized(transformers.ElectraModel(FAMILIES["electra"][0](SHAPES[0], "gelu")), 9),
}


def write_bases(folder, goldens):
    """Those that are checked in as they are: answers of before stay true of them."""
    for seed, (name, make) in enumerate(BASES.items()):
        target = os.path.join(folder, name)
        if os.path.isdir(os.path.join(goldens, name)):
            shutil.copytree(os.path.join(goldens, name), target)
        else:
            torch.manual_seed(seed)
            make().save_pretrained(target)


def write_rows(path, rows):
    with open(path, "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
