"""Writes include/graft/text/unicode_tables.hpp: where the tokenizers library's Unicode tables, asked one code point at a time, differ from utf8proc's.

unicode_tables.py [FILE]   FILE: where to write it. clang-format it then. Needs tokenizers 0.22 or 0.23, and libutf8proc.so.2 (2.8: Unicode 15). Two minutes.
The map below makes "a" of "A": a cluster of less than 6 bytes that begins with "A" becomes "a" alone, which says what extends a character.
"""
import ctypes, io, os, sys

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, normalizers, pre_tokenizers

utf8proc = ctypes.CDLL("libutf8proc.so.2")
i32 = ctypes.c_int32
utf8proc.utf8proc_category.argtypes = [i32]
utf8proc.utf8proc_grapheme_break_stateful.argtypes, utf8proc.utf8proc_grapheme_break_stateful.restype = [i32, i32, ctypes.POINTER(i32)], ctypes.c_bool
utf8proc.utf8proc_decompose_char.argtypes = [i32, ctypes.POINTER(i32), ctypes.c_ssize_t, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]
utf8proc.utf8proc_decompose_char.restype = ctypes.c_ssize_t
NAMES = "Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co".split()
CODES = [c for c in range(0x80, 0x110000) if not 0xD800 <= c < 0xE000]
COMPATIBLE, DECOMPOSE = 4, 16
parts, boundary = (i32 * 64)(), ctypes.c_int()


def category(code): return NAMES[utf8proc.utf8proc_category(code)]


def decomposed(code, options):
    boundary.value = 0
    return "".join(map(chr, parts[:utf8proc.utf8proc_decompose_char(code, parts, 64, options, ctypes.byref(boundary))]))


def extends(code): return not utf8proc.utf8proc_grapheme_break_stateful(65, code, ctypes.byref(i32(0)))


def cut_away(cutter): return lambda code: not cutter.pre_tokenize_str(chr(code))


def ranges(codes):
    found = []
    for code in codes:
        if found and found[-1][1] == code - 1: found[-1][1] = code
        else: found.append([code, code])
    return found


def table(doc, name, codes):
    return f"/// {doc}\ninline constexpr code_point_range {name}[] = {{{', '.join(f'{{0x{a:x}, 0x{b:x}}}' for a, b in ranges(codes))}}};\n\n"


def only_there(there, here): return [code for code in CODES if there(code) and not here(code)]


def only_here(there, here): return [code for code in CODES if here(code) and not there(code)]


def main():
    split = lambda pattern: cut_away(pre_tokenizers.Split(Regex(pattern), "removed"))
    is_kind = lambda *kinds: lambda code: category(code) in kinds or category(code)[0] in kinds
    model = io.BytesIO()
    with open("rules.tsv", "w") as file: file.write("41\t61\n")
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(["a b c"] * 9), model_writer=model, vocab_size=8, hard_vocab_limit=False, minloglevel=2,
                                             normalization_rule_tsv="rules.tsv")
    os.remove("rules.tsv")
    read = sentencepiece_model_pb2.ModelProto()
    read.ParseFromString(model.getvalue())
    mapped = normalizers.Precompiled(read.normalizer_spec.precompiled_charsmap)
    clean, accents = normalizers.BertNormalizer(True, False, False, False), normalizers.BertNormalizer(False, False, True, False)
    digits, marks, nfkd = pre_tokenizers.Digits(True), normalizers.StripAccents(), normalizers.NFKD()
    numbers = only_there(split(r"\p{N}"), is_kind("N"))
    text = """#pragma once
// Where the Unicode tables of the tokenizers library differ from utf8proc's, which are of Unicode 15. Made by tests/peers/unicode_tables.py.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace graft::detail {

struct code_point_range {
  std::int32_t first, last;
};

"""
    text += table("Letters since Unicode 15.1.", "new_letters", only_there(split(r"\p{L}"), is_kind("L")))
    text += table("Numbers since then, in regular expressions.", "new_numbers", numbers)
    text += table("Numbers of Unicode 17, which Digits knows.", "newest_numbers",
                  [code for code in only_there(lambda code: len(digits.pre_tokenize_str("a" + chr(code))) == 2, is_kind("N")) if code not in numbers])
    text += table("Marks since Unicode 15.1.", "new_marks", only_there(lambda code: mapped.normalize_str("A" + chr(code)) == "a", extends))
    text += table("Punctuation since Unicode 8, which is none there.", "late_punctuation", only_here(cut_away(pre_tokenizers.Punctuation("removed")), is_kind("P")))
    text += table("Format characters since Unicode 8, which BertNormalizer keeps.", "late_format",
                  only_here(lambda code: clean.normalize_str(chr(code)) == "", lambda code: code == 0xFFFD or category(code) in ("Cc", "Cf", "Co")))
    text += table("Nonspacing marks since Unicode 8, which BertNormalizer takes for no accents.", "late_nonspacing",
                  only_here(lambda code: accents.normalize_str("a" + chr(code)) == "a", lambda code: all(category(ord(c)) == "Mn" for c in decomposed(code, DECOMPOSE))))
    text += table("Marks since Unicode 9, which StripAccents and the normal forms take for none.", "late_marks",
                  only_here(lambda code: marks.normalize_str(chr(code)) == "", is_kind("M")))
    text += table("Decompositions since then, which the normal forms do not make.", "late_decompositions",
                  [code for code in CODES if nfkd.normalize_str(chr(code)) != decomposed(code, DECOMPOSE | COMPATIBLE)])
    text += """/// Whether VALUE is in the sorted RANGES.
template <std::size_t Count>
constexpr bool is_in(const code_point_range (&ranges)[Count], std::int32_t value) {
  const auto* found = std::lower_bound(std::begin(ranges), std::end(ranges), value, [](const auto& one, std::int32_t wanted) { return one.last < wanted; });
  return found != std::end(ranges) && found->first <= value;
}

}  // namespace graft::detail
"""
    with open(sys.argv[1], "w") if len(sys.argv) > 1 else sys.stdout as file: file.write(text)


main()
