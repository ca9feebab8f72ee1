"""Writes the seeds of tests/fuzz/corpus/: small files that graft reads (good_...), and ones that it must refuse (bad_...).

Run with any Python 3; the tests need neither Python nor this script. Inputs that fuzzing found (found_...) lie beside the seeds.
"""
import base64
import json
import pathlib
import struct

here = pathlib.Path(__file__).parent
golden = here.parent / "golden"


def put(reader, name, content):
    file = here / "corpus" / reader / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def u16(n): return struct.pack("<H", n)
def u32(n): return struct.pack("<I", n)
def u64(n): return struct.pack("<Q", n)


# --- safetensors

def safetensors(header, data=b"", size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return u64(len(text) if size is None else size) + text + data


def entry(shape, begin, end, dtype="F32", **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


put("safetensors", "good_golden", (golden / "layers" / "mean_squared_error.safetensors").read_bytes())
put("safetensors", "good_empty", safetensors({}))
put("safetensors", "good_types", safetensors(
    {"__metadata__": {"graft_format": "1", "config": '{"a": 1}'}, "roberta.embeddings.LayerNorm.gamma": entry([1], 0, 2, "F16"),
     "b": entry([1, 2], 2, 6, "BF16"), "c": entry([], 6, 14, "F64"), "d": entry([0, 3], 14, 14), "e": entry([3], 14, 17, "BOOL")},
    bytes(range(17))))
put("safetensors", "bad_header_longer_than_file", safetensors({}, size=1 << 20))
put("safetensors", "bad_header_huge", safetensors({}, size=(1 << 64) - 1))
put("safetensors", "bad_seven_bytes", bytes(7))
put("safetensors", "bad_cut", safetensors({"a": entry([2], 0, 8)}, bytes(7)))
put("safetensors", "bad_cut_header", safetensors({"a": entry([2], 0, 8)})[:40])
put("safetensors", "bad_overlap", safetensors({"a": entry([2], 0, 8), "b": entry([2], 4, 12)}, bytes(12)))
put("safetensors", "bad_hole", safetensors({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, bytes(12)))
put("safetensors", "bad_offsets_backward", safetensors({"a": entry([1], 4, 0)}, bytes(4)))
put("safetensors", "bad_offsets_outside", safetensors({"a": entry([1 << 40], 0, 1 << 42)}, bytes(4)))
put("safetensors", "bad_shape_overflows", safetensors({"a": entry([1 << 32, 1 << 32], 0, 0)}))
put("safetensors", "bad_shape_negative", safetensors({"a": entry([-1], 0, 4)}, bytes(4)))
put("safetensors", "bad_shape_real", safetensors({"a": entry([1e300], 0, 4)}, bytes(4)))
put("safetensors", "bad_number_overflow", safetensors(b'{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', bytes(4)))
put("safetensors", "bad_dtype", safetensors({"a": entry([1], 0, 4, "F31")}, bytes(4)))
put("safetensors", "bad_twice", safetensors(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],'
                                             b'"data_offsets":[0,1]}}', b"x"))
put("safetensors", "bad_nesting", safetensors(b"[" * 2000))
put("safetensors", "bad_utf8", safetensors(b'{"\xff":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"x"))
put("safetensors", "bad_metadata", safetensors({"__metadata__": {"a": [1]}}))
put("safetensors", "bad_not_object", safetensors([1, 2]))

# --- pickles, in the older container (a stream) and the newer one (a zip archive)

MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def text(s): return b"X" + u32(len(s)) + s.encode()
def integer(n): return b"\x8a\x08" + struct.pack("<q", n)
def tuple_of(*items): return b"(" + b"".join(items) + b"t"
def glob(module, name): return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def tensor(offset=0, sizes=(2,), strides=(1,), key="k", kind="FloatStorage", elements=2):
    storage = tuple_of(text("storage"), glob("torch", kind), text(key), text("cpu"), integer(elements)) + b"Q"
    arguments = tuple_of(storage, integer(offset), tuple_of(*map(integer, sizes)), tuple_of(*map(integer, strides)), b"\x89",
                         glob("collections", "OrderedDict") + b")R")
    return glob("torch._utils", "_rebuild_tensor_v2") + arguments + b"R"


def dict_of(item, name="w"): return b"}" + text(name) + item + b"s"


def stream(pickle, length=2, data=struct.pack("<ff", 1.5, -2)):
    keys = b"\x80\x02]" + text("k") + b"a."
    return MAGIC + b"\x80\x02M\xe9\x03." + b"\x80\x02}" + text("little_endian") + b"\x88s." + b"\x80\x02" + pickle + b"." + keys + u64(length) + data


def archive(entries, method=0, flags=0, local=None, size=None, zip64=False, count=None, directory_at=None):
    body, directory = b"", b""
    for name, data in entries:
        name, at = name.encode(), len(body)
        body += b"PK\3\4" + bytes(22) + u16(len(name)) + u16(0) + name + data
        place = at if local is None else local
        length = len(data) if size is None else size
        extra = u16(1) + u16(24) + u64(length) + u64(length) + u64(place) if zip64 else b""
        numbers = [0xffffffff] * 3 if zip64 else [length, length, place]
        directory += (b"PK\1\2" + bytes(4) + u16(flags) + u16(method) + bytes(8) + u32(numbers[0]) + u32(numbers[1]) + u16(len(name)) +
                      u16(len(extra)) + bytes(10) + u32(numbers[2]) + name + extra)
    start = len(body) if directory_at is None else directory_at
    total = len(entries) if count is None else count
    end = b"PK\5\6" + bytes(4) + u16(total & 0xffff) * 2 + u32(len(directory)) + u32(min(start, 0xffffffff)) + u16(0)
    if zip64:
        end = (b"PK\6\6" + u64(44) + bytes(12) + u64(total) * 2 + u64(len(directory)) + u64(start) +
               b"PK\6\7" + u32(0) + u64(len(body) + len(directory)) + u32(1) + end)
    return body + directory + end


def zipped(pickle, **changes):
    return archive([("m/data.pkl", b"\x80\x02" + pickle + b"."), ("m/byteorder", b"little"), ("m/data/k", struct.pack("<ff", 1.5, -2))],
                   **changes)


put("torch_file", "good_golden_zip", (golden / "torch" / "zip.bin").read_bytes())
put("torch_file", "good_golden_stream", (golden / "torch" / "stream.bin").read_bytes())
put("torch_file", "good_zip", zipped(dict_of(tensor())))
put("torch_file", "good_zip64", zipped(dict_of(tensor()), zip64=True))
put("torch_file", "good_stream", stream(dict_of(tensor())))
put("torch_file", "good_transposed", stream(dict_of(tensor(sizes=(2, 1), strides=(1, 2)))))
put("torch_file", "good_size_of_one", stream(dict_of(tensor(sizes=(2, 1, 2), strides=(1, (1 << 63) - 1, 2), elements=4)), 4, bytes(16)))
put("torch_file", "good_parameter", stream(dict_of(glob("torch._utils", "_rebuild_parameter") + b"(" + tensor() + b"\x88)tR")))
put("torch_file", "bad_os_system", stream(glob("os", "system") + text("true") + b"\x85R"))
put("torch_file", "bad_os_system_zip", (golden / "torch" / "attack.bin").read_bytes())
put("torch_file", "bad_eval", zipped(dict_of(glob("builtins", "eval") + text("1") + b"\x85R")))
put("torch_file", "bad_inst", stream(b"(ios\nsystem\n"))
put("torch_file", "bad_stack_global", stream(text("os") + text("system") + b"\x93"))
put("torch_file", "bad_protocol_4", stream(b"\x80\x04}"))
put("torch_file", "bad_nesting", stream(b"]" * 1500 + b"a" * 1499))
put("torch_file", "bad_nested_marks", stream(b"(" * 1500 + b"t" * 1500))
put("torch_file", "bad_cycle", stream(b"]q\x01h\x01a"))
put("torch_file", "bad_length", stream(b"X\xff\xff\xff\xff"))
put("torch_file", "bad_integer_of_255_bytes", stream(b"\x8a\xff" + b"x" * 255))
put("torch_file", "bad_storage_length", stream(dict_of(tensor()), length=(1 << 64) - 1))
put("torch_file", "bad_storage_absent", stream(dict_of(tensor(key="absent"))))
put("torch_file", "bad_storage_absent_zip", zipped(dict_of(tensor(key="../../k"))))
put("torch_file", "bad_outside_storage", stream(dict_of(tensor(offset=1))))
put("torch_file", "bad_offset_negative", stream(dict_of(tensor(offset=-1))))
put("torch_file", "bad_stride_overflows", stream(dict_of(tensor(sizes=(3, 3), strides=(1 << 62, 1 << 62)))))
put("torch_file", "bad_stride_0", stream(dict_of(tensor(sizes=(1 << 40,), strides=(0,)))))
put("torch_file", "bad_shape_overflows", stream(dict_of(tensor(sizes=(1 << 62, 1 << 62), strides=(1, 1)))))
put("torch_file", "bad_kind", stream(dict_of(tensor(kind="QInt8Storage"))))
put("torch_file", "bad_stack_underflow", stream(b"QRtsu"))
put("torch_file", "bad_cut", stream(dict_of(tensor()))[:-1])
put("torch_file", "bad_cut_pickle", stream(dict_of(tensor()))[:120])
put("torch_file", "bad_cut_zip", zipped(dict_of(tensor()))[:-1])

# --- zip archives

two = [("a", b"one"), ("b/c", b"")]
put("zip", "good_stored", archive(two))
put("zip", "good_zip64", archive(two, zip64=True))
put("zip", "good_empty", archive([]))
put("zip", "good_comment", archive(two)[:-2] + u16(5) + b"PK\5\7!")
put("zip", "bad_entry_outside", archive(two, local=1 << 31))
put("zip", "bad_entry_outside_64", archive(two, local=(1 << 64) - 2, zip64=True))
put("zip", "bad_entry_in_the_middle", archive(two, local=3))
put("zip", "bad_size_outside", archive(two, size=1 << 31))
put("zip", "bad_size_wraps_64", archive(two, size=(1 << 64) - 8, zip64=True))
put("zip", "bad_directory_outside", archive(two, directory_at=0xfffffff0))
put("zip", "bad_directory_outside_64", archive(two, directory_at=(1 << 64) - 1, zip64=True))
put("zip", "bad_count", archive(two, count=0xffff))
put("zip", "bad_count_64", archive(two, count=(1 << 64) - 1, zip64=True))
put("zip", "bad_compressed", archive(two, method=8))
put("zip", "bad_encrypted", archive(two, flags=1))
put("zip", "bad_twice", archive([("a", b"1"), ("a", b"2")]))
put("zip", "bad_locator_alone", b"PK\6\7" + bytes(4) + u64(1 << 40) + bytes(4) + archive([])[-22:])
put("zip", "bad_cut", archive(two)[:-1])
put("zip", "bad_cut_front", archive(two)[10:])

# --- JSON configurations

encoder = json.loads((golden / "model" / "config.json").read_text())
put("config", "good_encoder", json.dumps(encoder))
put("config", "good_encoder_bom", b"\xef\xbb\xbf" + json.dumps(encoder).encode())
put("config", "good_bert", json.dumps({**encoder, "model_type": "bert", "pad_token_id": None}))
put("config", "good_task", json.dumps({"task": "rte", "paths": {"train": "RTE/train.tsv"}}))
put("config", "good_own_task", json.dumps({"task": "custom", "name": "own", "kind": "classification", "labels": ["no", 1, 1.5],
                                           "paths": {"val": "x.jsonl"}}))
put("config", "good_regression", json.dumps({"task": "custom", "name": "own", "kind": "regression", "paths": {}}))
described = {"version": 1, "kind": "adapter", "task": "own", "output": "classification", "labels": ["a", "b"], "max_seq_length": 128,
             "trunk_fingerprint": "0123456789abcdef", "adapter_size": 8, "adapter_hidden_act": "gelu"}
put("config", "good_adapter", json.dumps(described))
put("config", "good_mix", json.dumps({**described, "kind": "multi_adapter",
                                      "adapters": [{"name": "rte", "size": 4, "hidden_act": "relu", "placement": "pfeiffer"}],
                                      "include_base": True, "include_flex": False, "flex_size": 0, "flex_hidden_act": "gelu",
                                      "weight_mode": "softmax", "num_weight_sets": 1}))
put("config", "good_mix_of_all", json.dumps({**described, "kind": "multi_adapter", "adapters": [
    {"name": "a", "size": 4, "hidden_act": "relu"}, {"name": "b", "kind": "ia3", "ia3_target": ["key"], "ia3_feed_forward": []},
    {"name": "c", "kind": "lora", "lora_r": 2, "lora_alpha": 4.0, "lora_target": ["query"], "lora_dora": True},
    {"name": "d", "kind": "prefix", "prefix_length": 3, "prefix_bottleneck": 2, "prefix_hidden_act": "tanh", "prefix_gates": 1, "prefix_leave_out": [0]}],
    "include_base": True, "include_flex": False, "flex_size": 4, "flex_hidden_act": "gelu", "weight_mode": "softmax", "num_weight_sets": 1}))
put("config", "good_lora", json.dumps({**described, "kind": "lora", "lora_r": 4, "lora_alpha": 8.0, "lora_target": ["query", "value"]}))
put("config", "good_shards", json.dumps({"metadata": {"total_size": 1}, "weight_map": {"a": "one.safetensors"}}))
put("config", "good_tokenizer", json.dumps({"do_lower_case": True, "model_max_length": 512}))
added = {"id": 7, "content": "<new>", "single_word": False, "lstrip": True, "rstrip": False, "normalized": False, "special": True}
put("config", "good_special_tokens", json.dumps({"mask_token": {**added, "content": "[MASK]"}, "cls_token": "[CLS]"}))
# These would be read by one of the readers that overlook what they do not know; it is their meaning for the others that counts.
put("config", "added_tokens", json.dumps({"<new>": 7, "<newer>": 8}))
put("config", "added_tokens_decoder", json.dumps({"added_tokens_decoder": {"7": added}}))
put("config", "encoder_huge", json.dumps({**encoder, "hidden_size": 1 << 63}))
put("config", "encoder_negative", json.dumps({**encoder, "vocab_size": -5, "pad_token_id": -1}))
put("config", "encoder_real", json.dumps({**encoder, "hidden_size": 1e300, "num_hidden_layers": 2.5}))
put("config", "description_huge", json.dumps({**described, "version": 1e300, "adapter_size": 1 << 64}))
put("config", "description_real", json.dumps({**described, "max_seq_length": 1e300, "adapter_size": -1e300}))
put("config", "description_negative", json.dumps({**described, "adapter_size": -8, "max_seq_length": -1}))
for file in "..", ".", "", "/", "absent", "a\0b", "../one.safetensors", "model.safetensors.index.json":
    name = file.replace("/", "_slash").replace(".", "_dot").replace("\0", "_nul") or "_empty"
    put("config", "shards" + name, json.dumps({"weight_map": {"a": file}}))
put("config", "shards_not_there", json.dumps({"weight_map": {"b": "one.safetensors"}}))
put("config", "bad_nesting", b'{"task":' + b"[" * 2000 + b"]" * 2000 + b"}")
put("config", "bad_nesting_objects", b'{"version":' * 500 + b"1" + b"}" * 500)
put("config", "bad_number_overflow", json.dumps({**encoder, "layer_norm_eps": 0}).replace('eps": 0', 'eps": 1e999'))
put("config", "bad_utf8", b'{"task":"\xc3\x28"}')
put("config", "bad_surrogate", rb'{"task":"\ud800"}')
put("config", "bad_cut", json.dumps(encoder)[:-1])
put("config", "bad_empty", "")
put("config", "array", "[1,2]")
put("config", "null", "null")

# --- rows

put("tsv", "good_own", "text_a\ttext_b\tlabel\nlow lower\tlo\tyes\nw\t\tno\n")
put("tsv", "good_crlf_bom", b"\xef\xbb\xbflabel\ttext_a\r\n1\tlow\r\n1\tlow")
put("tsv", "good_numbers", "text_a\tlabel\nlow\t-2.5\nlow\t1e3\n")
put("conll", "good_words", "-DOCSTART- O\n\nlow B-X\nlower I-X\nw O\n\nlo O\n")
put("conll", "bad_words", "low B-X\nlower\n")
put("tsv", "good_without_header", "x\t1\t*\tlow\ny\t0\t\tlower\n")
put("tsv", "good_short_rows", "\t".join("id qid1 qid2 question1 question2 is_duplicate".split()) + "\n1\t2\t3\tlow\tlo\t1\nshort\n")
put("tsv", "good_stsb", "\t" * 7 + "sentence1\tsentence2\tscore\n" + "\t" * 7 + "low\tlo\t3.25\n")
put("tsv", "bad_moved", "\t" * 7 + "sentence2\tsentence1\tscore\n" + "\t" * 7 + "low\tlo\t3.25\n")
put("tsv", "bad_utf16", "text_a\tlabel\nlow\tyes\n".encode("utf-16"))
put("tsv", "bad_joined", b"text_a\tlabel\nlow\tyes\n\xef\xbb\xbflo\tno\n")
put("tsv", "bad_blank_between", "text_a\tlabel\nlow\tyes\n\nlo\tno\n")
put("tsv", "bad_more_columns", "text_a\tlabel\nlow\tlo\tyes\n")
put("tsv", "good_blank_end", "text_a\tlabel\nlow\tyes\n\n \r\n")
put("tsv", "good_special_tokens", "text_a\tlabel\n<s></s><mask> <pad>\tyes\n")
put("tsv", "good_white_space", "text_a\tlabel\n\u2003\u00a0\x1c\u3000\x0b\tyes\n")
put("tsv", "number_overflow", "text_a\tlabel\nlow\t1e999\n")
put("tsv", "number_nan", "text_a\tlabel\nlow\tnan\n")
put("tsv", "bad_utf8", b"text_a\tlabel\n\xc3\x28\tyes\n")
put("tsv", "bad_overlong", b"text_a\tlabel\n\xc0\xaf\tyes\n")
put("tsv", "bad_surrogate", b"text_a\tlabel\n\xed\xa0\x80\tyes\n")
put("tsv", "bad_cut_character", b"text_a\tlabel\n\xf0\x9f\x98")
put("tsv", "bad_empty", "")
put("tsv", "bad_bom_alone", b"\xef\xbb\xbf")
put("tsv", "bad_header_alone", "label\ttext_b\n")
put("tsv", "nul", b"text_a\tlabel\n\0\tyes\n")
put("tsv", "tabs", "\t" * 3000 + "\n")
put("tsv", "lines", "\n" * 3000)

put("jsonl", "good_texts", '{"text_a":"low lower","text_b":"lo","label":"yes"}\n\n{"text_a":"","text_b":null,"label":1}\n')
put("jsonl", "good_ids", '{"input_ids":[0,4,2,2],"label":1.0}\r\n')
put("jsonl", "good_regression", b'\xef\xbb\xbf{"text_a":"\\u00dc \\ud83d\\ude00","label":-2.5e-3}\n')
put("jsonl", "good_without_label", '{"text_a":"low","idx":{"a":[1]}}\n')
put("jsonl", "bad_unknown", '{"text_a":"low","other":{"a":[1]}}\n')
put("jsonl", "good_words", '{"tokens":["low","lower"],"ner_tags":["B-X","O"],"pos_tags":[1,2]}\n')
put("jsonl", "bad_words", '{"tokens":["low","lower"],"tags":["B-X"]}\n')
put("jsonl", "good_padded", '{"input_ids":[0,4,2,1,1],"attention_mask":[1,1,1,0,0]}\n')
put("jsonl", "bad_mask_hole", '{"input_ids":[0,4,2],"attention_mask":[1,0,1]}\n')
put("jsonl", "bad_mask_length", '{"input_ids":[0,4,2],"attention_mask":[1]}\n')
put("jsonl", "ids_too_large", '{"input_ids":[4294967296]}\n{"input_ids":[2147483647]}\n')
put("jsonl", "bad_ids_huge", '{"input_ids":[18446744073709551616]}\n')
put("jsonl", "bad_ids_negative", '{"input_ids":[-1]}\n')
put("jsonl", "bad_ids_empty", '{"input_ids":[]}\n')
put("jsonl", "bad_both", '{"input_ids":[1],"text_a":"low"}\n')
put("jsonl", "bad_label", '{"text_a":"low","label":' + "[" * 20 + "]" * 20 + "}\n")
put("jsonl", "bad_number_overflow", '{"text_a":"low","label":1e999}\n')
put("jsonl", "bad_nesting", '{"text_a":' + "[" * 2000 + "]" * 2000 + "}\n")
put("jsonl", "bad_not_closed", '{"text_a":' + '{"a":' * 500 + "\n")
put("jsonl", "bad_utf8", b'{"text_a":"\xff"}\n')
put("jsonl", "bad_surrogate", '{"text_a":"\\ud800"}\n')
put("jsonl", "bad_array", "[1]\n")
put("jsonl", "bad_cut", '{"text_a":"low"')
put("jsonl", "bad_empty", "")
put("jsonl", "bad_blank", "  \n\t\n")

# --- vocabularies, merges, tokenizer.json

roberta = {piece: i for i, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", "l", "o", "w", "lo", "low", "\u0120low", "\u0120"])}
put("vocabulary", "good_vocab_json", json.dumps(roberta))
put("vocabulary", "good_vocab_json_plain", json.dumps(roberta, ensure_ascii=False))
put("vocabulary", "good_merges", "#version: 0.2\nl o\nlo w\ne r\nlow er\n")
put("vocabulary", "good_merges_crlf", "l o\r\nlo w\r\n")
put("vocabulary", "good_vocab_txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlow\n##er\n##\ncaf\u00e9\n\u4e16\n,\n")
put("vocabulary", "good_vocab_txt_crlf", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nLow")
put("vocabulary", "tokenizer_json_bpe", json.dumps(
    {"version": "1.0", "truncation": None, "padding": None,
     "added_tokens": [{**added, "id": i, "content": piece} for piece, i in list(roberta.items())[:5]], "normalizer": None,
     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
     "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}, "decoder": {"type": "ByteLevel"},
     "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
               "fuse_unk": False, "vocab": roberta, "merges": ["l o", "lo w", "\u0120 low"]}}))
put("vocabulary", "tokenizer_json_wordpiece", json.dumps(
    {"version": "1.0", "added_tokens": [{**added, "id": 2, "content": "[CLS]"}],
     "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True},
     "pre_tokenizer": {"type": "BertPreTokenizer"},
     "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
               "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "low": 5, "##er": 6}}}))
put("vocabulary", "tokenizer_json_unigram", json.dumps({"version": "1.0", "model": {"type": "Unigram", "vocab": [["<unk>", 0.0]]}}))
pieces = [["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["\u2581", -2.5], ["low", -3.0], ["\u2581lo", -3.5], ["w", -4], ["er", -1e300], ["<0x41>", -5]]
some_map = json.loads((golden / "text" / "unigram-older" / "tokenizer.json").read_text())["normalizer"]["normalizers"][0]
metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}
steps = [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "NFD"}, some_map, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Prepend", "prepend": "\u2581"},
         {"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]
cutters = [{"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "MergedWithNext"}, metaspace,
           {"type": "Split", "pattern": {"String": "o"}, "behavior": "MergedWithPrevious", "invert": True}, {"type": "Whitespace"}]
put("vocabulary", "tokenizer_json_steps", json.dumps(
    {"normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": cutters},
     "added_tokens": [{**added, "id": len(pieces), "single_word": True}],
     "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "trim_offsets": True}]},
     "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces, "byte_fallback": True}}))
put("vocabulary", "tokenizer_json_map_cut", json.dumps({"normalizer": {**some_map, "precompiled_charsmap": some_map["precompiled_charsmap"][:64]},
                                                        "model": {"type": "Unigram", "unk_id": 3, "vocab": pieces}}))
put("vocabulary", "tokenizer_json_unk_beyond", json.dumps({"model": {"type": "Unigram", "unk_id": 99, "vocab": pieces}}))
put("vocabulary", "tokenizer_json_characters", json.dumps(
    {"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "use_regex": False},
     "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
               "vocab": {**roberta, "##o": 20, "l##o": 21, "lo</w>": 22, "##o</w>": 23}, "merges": [["l", "##o"], "l ##o</w>"]}}))
put("vocabulary", "tokenizer_json_words", json.dumps({"pre_tokenizer": {"type": "WhitespaceSplit"}, "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": roberta}}))


def message(number, content):
    size, bytes_ = len(content), b""
    while size > 127: size, bytes_ = size >> 7, bytes_ + bytes([size & 127 | 128])
    return bytes([number << 3 | 2]) + bytes_ + bytes([size]) + content


sentencepiece = b"".join(message(1, message(1, text.encode()) + b"\x15" + struct.pack("<f", max(score, -1e30)) + bytes([0x18, 2 if i == 0 else 3 if i < 3 else 1]))
                         for i, (text, score) in enumerate([["<unk>", 0], ["<s>", 0], ["</s>", 0], *pieces[4:]]))
sentencepiece += message(2, b"\x18\x01") + message(3, message(2, base64.b64decode(some_map["precompiled_charsmap"])))
put("vocabulary", "sentencepiece", sentencepiece)
put("vocabulary", "sentencepiece_cut", sentencepiece[:100])
put("vocabulary", "sentencepiece_other_kind", sentencepiece + message(2, b"\x18\x02"))
put("vocabulary", "sentencepiece_size_huge", b"\x0a" + b"\xff" * 9 + b"\x01")
put("vocabulary", "tokenizer_json_merges_pairs", json.dumps({"model": {"type": "BPE", "vocab": roberta, "merges": [["l", "o"], ["x"], 3]}}))
put("vocabulary", "good_ids_gap", json.dumps({**roberta, "x": 99}))
put("vocabulary", "good_ids_twice", json.dumps({**roberta, "x": 0}))
put("vocabulary", "bad_ids_huge", json.dumps({**roberta, "x": 1 << 64}))
put("vocabulary", "bad_ids_negative", json.dumps({**roberta, "x": -1}))
put("vocabulary", "bad_number_overflow", '{"<s>":1e999}')
put("vocabulary", "bad_nesting", '{"<s>":' + "[" * 1000 + "]" * 1000 + "}")
put("vocabulary", "bad_nesting_tokenizer", '{"model":' * 400 + "1" + "}" * 400)
put("vocabulary", "bad_specials_missing", '{"<unk>":0,"a":1}')
put("vocabulary", "bad_merge_unknown", "#version: 0.2\nq z\n")
put("vocabulary", "good_merge_twice", "l o\nl o\n")
put("vocabulary", "bad_merge_of_three", "l o w\n")
put("vocabulary", "bad_utf8", b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n\xc3\x28\n")
put("vocabulary", "good_piece_twice", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nlow\nlow\n")
put("vocabulary", "good_bom", b"\xef\xbb\xbf[PAD]\n[UNK]\n[CLS]\n[SEP]\n")
put("vocabulary", "bad_cut", json.dumps(roberta)[:-1])
put("vocabulary", "empty", "")

# --- models, adapters, checkpoints: whole files of the goldens, and the same with one thing changed

def parts(file):
    content = file.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8:8 + length]), content[8 + length:]


def changed(file, change):
    header, data = parts(file)
    change(header)
    return safetensors(header, data)


def with_type(dtype, shrink=1):
    """Every tensor's bytes are said to be of another type."""
    def change(header):
        for name, info in header.items():
            if name != "__metadata__":
                info["dtype"] = dtype
                if shrink != 1: info["shape"] = [n * shrink if i == 0 else n for i, n in enumerate(info["shape"])]
    return change


trunk = golden / "model" / "model.safetensors"
put("model", "good_golden", trunk.read_bytes())
put("model", "bad_bert", (golden / "bert" / "model.safetensors").read_bytes())
put("model", "bad_integers", changed(trunk, with_type("I32")))
put("model", "bad_halves", changed(trunk, with_type("F16", 2)))
put("model", "bad_cut", trunk.read_bytes()[:-1])
put("model", "bad_torch", (golden / "torch" / "zip.bin").read_bytes())
put("model", "bad_empty", "")

exchange = golden / "exchange"
put("adapter", "good_adapterhub", (exchange / "adapterhub_single" / "adapter.safetensors").read_bytes())
put("adapter", "good_adapterhub_legacy", (exchange / "adapterhub_legacy" / "pytorch_adapter.bin").read_bytes())
put("adapter", "good_adapterhub_head", (exchange / "adapterhub_double" / "pytorch_model_head.bin").read_bytes())
put("adapter", "good_peft", (exchange / "peft_lora" / "adapter_model.safetensors").read_bytes())
put("adapter", "good_peft_bin", (exchange / "peft_lora_pattern" / "adapter_model.bin").read_bytes())
put("adapter", "good_original", (exchange / "original" / "model.p").read_bytes())
put("adapter", "good_original_stream", (exchange / "original" / "model_stream.p").read_bytes())
put("adapter", "original_golden", (golden / "model" / "adapter_rte.safetensors").read_bytes())
put("adapter", "bad_integers", changed(golden / "model" / "adapter_rte.safetensors", with_type("U32")))
put("adapter", "bad_empty", "")


def described_as(**fields):
    common = {"version": 1, "task": "rte", "output": "classification", "labels": ["no", "yes"], "max_seq_length": 64, "trunk_fingerprint": ""}
    def change(header): header["__metadata__"] = {"graft": json.dumps({**common, **fields})}
    return change


rte = golden / "model" / "adapter_rte.safetensors"
put("adapter", "good_own", changed(rte, described_as(kind="adapter", adapter_size=4, adapter_hidden_act="gelu")))
put("adapter", "own_huge", changed(rte, described_as(kind="adapter", adapter_size=65536, adapter_hidden_act="gelu")))
put("adapter", "own_lora", changed(rte, described_as(kind="lora", lora_r=65536, lora_alpha=1e300, lora_target=["query", "value"])))
put("adapter", "own_mix", changed(rte, described_as(
    kind="multi_adapter", include_base=True, include_flex=True, flex_size=65536, flex_hidden_act="gelu", weight_mode="softmax",
    num_weight_sets=1000, adapters=[{"name": "a", "size": 65536, "hidden_act": "gelu"}] * 20)))
put("adapter", "bad_full", changed(rte, described_as(kind="full", labels=[str(i) for i in range(1000)])))

run = {"learning_rate": "0.001", "training rows": "0123456789abcdef"}


def checkpoint(best=True, dtype="F32", run=run, **fields):
    header, at = {}, 0
    for name, shape in ("b", [3]), ("w", [2, 3]):
        for what in ("best", "m", "parameter", "v") if best else ("m", "parameter", "v"):
            length = 4 * (3 if name == "b" else 6)
            header[what + "/" + name] = entry(shape, at, at + length, dtype)
            at += length
    state = {"epoch": 1, "epoch_step": 2, "global_step": 3, "evaluated_step": 3, "best_score": 0.5 if best else None, "best_step": 3,
             "run": run, **fields}
    return safetensors({"__metadata__": {"graft_checkpoint": json.dumps(state)}, **header}, bytes(at))


put("checkpoint", "good_best", checkpoint())
put("checkpoint", "good_without_best", checkpoint(False))
put("checkpoint", "bad_type", checkpoint(dtype="I32"))
put("checkpoint", "bad_other_run", checkpoint(run={**run, "learning_rate": "1"}))
put("checkpoint", "bad_run", checkpoint(run=[1]))
put("checkpoint", "bad_step", checkpoint(global_step=1 << 64))
put("checkpoint", "bad_best_missing", checkpoint(False, best_score=1))
put("checkpoint", "negative", checkpoint(global_step=-1, epoch=-1))
put("checkpoint", "bad_empty", "")

# --- logs

place = {"epoch": 0, "epoch_step": 1, "global_step": 1}
put("logs", "good_loss", "".join(json.dumps({**place, "global_step": n, "loss_val": v, "learning_rate": 0.1}) + "\n"
                                 for n, v in ((1, 0.5), (2, None), (3, float("nan")), (4, 1e308), (5, float("inf")))))
put("logs", "good_scores", "".join(json.dumps({"score": v, "train_global_state": {**place, "global_step": n}}) + "\n" for n, v in ((1, 0.5), (9, 1))))
put("logs", "good_weights", "".join(json.dumps({"weights": {"layer_00": {"rte": 0.5, "base": 0.5}, "layer_03": {"rte": n}},
                                                "tgs": {**place, "global_step": n}}) + "\n" for n in range(3)))
put("logs", "good_metrics", json.dumps({"score": 0.5, "major": {"acc": 0.5}, "other": [1, None, "<b>&"]}))
put("logs", "step", json.dumps({**place, "global_step": 1 << 64, "loss_val": 1}) + "\n{}\n")
put("logs", "half", json.dumps({**place, "loss_val": 1}) + '\n{"epoch"')
put("logs", "site_of_many_digits", json.dumps({"weights": {"layer_999999": {"a": 1}}, "tgs": place}) + "\n")
put("logs", "nesting", "[" * 100000)
put("logs", "utf8", b'{"loss_val":"\xff"}\n{}\n')
