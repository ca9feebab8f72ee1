#pragma once
// A small grammar of facts (who did what to what, how many, where, when), and pairs of sentences about them with a known relation.

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "graft/core/random.hpp"

namespace example {

/// Draws from one counter-based stream.
class dice {
 public:
  dice(std::uint64_t seed, std::uint64_t stream) : stream_(seed, stream, 0) {}
  int below(int n) { return static_cast<int>(stream_.uniform(next_++) * n); }
  bool chance(double p) { return stream_.uniform(next_++) < p; }
  double normal() { return stream_.normal(next_++); }

 private:
  graft::random_stream stream_;
  std::uint64_t next_ = 0;
};

struct action {
  struct form {
    std::string past, participle, base;
  };
  std::array<form, 2> forms;  ///< two verbs that mean the same
};

inline const std::vector<std::string> people{"Anna",  "Boris", "Clara", "David", "Elena", "Felix", "Greta", "Hugo",
                                             "Irene", "Jonas", "Karen", "Lukas", "Maria", "Niels", "Olga",  "Peter"};
inline const std::vector<action> deeds{{{{{"bought", "bought", "buy"}, {"purchased", "purchased", "purchase"}}}},
                                       {{{{"found", "found", "find"}, {"discovered", "discovered", "discover"}}}},
                                       {{{{"drew", "drawn", "draw"}, {"sketched", "sketched", "sketch"}}}},
                                       {{{{"hid", "hidden", "hide"}, {"concealed", "concealed", "conceal"}}}},
                                       {{{{"chose", "chosen", "choose"}, {"selected", "selected", "select"}}}},
                                       {{{{"carried", "carried", "carry"}, {"hauled", "hauled", "haul"}}}},
                                       {{{{"saw", "seen", "see"}, {"noticed", "noticed", "notice"}}}},
                                       {{{{"washed", "washed", "wash"}, {"cleaned", "cleaned", "clean"}}}}};
inline const std::vector<action> dealings{{{{{"thanked", "thanked", "thank"}, {"praised", "praised", "praise"}}}},
                                          {{{{"helped", "helped", "help"}, {"assisted", "assisted", "assist"}}}},
                                          {{{{"called", "called", "call"}, {"phoned", "phoned", "phone"}}}},
                                          {{{{"visited", "visited", "visit"}, {"met", "met", "meet"}}}}};
inline const std::vector<std::string> kinds{"tools", "instruments", "birds", "flowers", "vehicles", "fruits"};
inline const std::vector<std::string> nouns{"hammers", "drills", "chisels", "shovels",  "flutes", "violins", "drums",   "trumpets",
                                            "owls",    "robins", "hawks",   "crows",    "tulips", "roses",   "orchids", "dahlias",
                                            "cars",    "vans",   "trucks",  "tractors", "apples", "pears",   "plums",   "lemons"};
inline constexpr int nouns_a_kind = 4;
inline const std::vector<std::string> counts{"two", "three", "four", "five", "six", "seven", "eight", "nine"};
inline const std::vector<std::array<std::string, 2>> adjectives{{"small", "little"},     {"big", "large"},      {"old", "ancient"},
                                                                {"shiny", "gleaming"},   {"broken", "damaged"}, {"pretty", "lovely"},
                                                                {"costly", "expensive"}, {"dirty", "filthy"}};
inline const std::vector<std::string> places{"in the garden",  "at the market",  "near the river",   "behind the barn",
                                             "in the kitchen", "at the station", "under the bridge", "beside the church"};
inline const std::vector<std::string> days{"on Monday", "on Tuesday",  "on Wednesday", "on Thursday",
                                           "on Friday", "on Saturday", "on Sunday"};

enum slot { subject, verb, object, count, adjective, place, day, slot_count };
inline const std::array<std::string, slot_count> slot_names{"subject", "verb", "object", "count", "adjective", "place", "day"};

/// What a sentence says. A slot holds the number of its word, -1 when the sentence leaves it out.
struct fact {
  std::array<int, slot_count> slots{};
  bool social = false;   ///< the object is a person too, and the verb one of `dealings`
  bool general = false;  ///< the object is named by its kind
  bool negated = false;

  bool says(slot s) const { return slots[s] >= 0; }
};

/// How a sentence says it.
struct wording {
  bool passive = false;
  bool day_first = false;
  bool other_verb = false;
  bool other_adjective = false;
};

inline int choices(const fact& f, slot s) {
  switch (s) {
    case subject:
      return static_cast<int>(people.size());
    case verb:
      return static_cast<int>((f.social ? dealings : deeds).size());
    case object:
      return static_cast<int>(f.social ? people.size() : nouns.size());
    case count:
      return static_cast<int>(counts.size());
    case adjective:
      return static_cast<int>(adjectives.size());
    case place:
      return static_cast<int>(places.size());
    default:
      return static_cast<int>(days.size());
  }
}

/// The optional slots of F.
inline std::vector<slot> details(const fact& f) {
  return f.social ? std::vector<slot>{place, day} : std::vector<slot>{count, adjective, place, day};
}

/// A fact at random that says each detail with the given probability.
inline fact random_fact(dice& roll, double detail) {
  fact f;
  f.social = roll.chance(0.25);
  f.slots.fill(-1);
  for (const slot s : {subject, verb, object}) f.slots[s] = roll.below(choices(f, s));
  while (f.social && f.slots[object] == f.slots[subject]) f.slots[object] = roll.below(choices(f, object));
  for (const slot s : details(f)) {
    if (roll.chance(detail)) f.slots[s] = roll.below(choices(f, s));
  }
  return f;
}

/// Gives S another value, visible in the sentence; half of the other nouns are of the same kind.
inline void change(fact& f, slot s, dice& roll) {
  const int before = f.slots[s];
  const bool near = s == object && !f.social && !f.general && roll.chance(0.5);
  for (;;) {
    const int value = near ? before / nouns_a_kind * nouns_a_kind + roll.below(nouns_a_kind) : roll.below(choices(f, s));
    const bool same_kind = s == object && f.general && value / nouns_a_kind == before / nouns_a_kind;
    const bool oneself = f.social && ((s == subject && value == f.slots[object]) || (s == object && value == f.slots[subject]));
    if (value == before || same_kind || oneself) continue;
    f.slots[s] = value;
    return;
  }
}

inline std::string sentence(const fact& f, const wording& w) {
  const auto& form = (f.social ? dealings : deeds)[static_cast<std::size_t>(f.slots[verb])].forms[w.other_verb ? 1 : 0];
  const auto word = [&](const auto& list, slot s) { return list[static_cast<std::size_t>(f.slots[s])]; };
  std::string target;
  if (f.says(count)) target += word(counts, count) + " ";
  if (f.says(adjective)) target += word(adjectives, adjective)[w.other_adjective ? 1 : 0] + " ";
  target += f.social    ? word(people, object)
            : f.general ? kinds[static_cast<std::size_t>(f.slots[object] / nouns_a_kind)]
                        : word(nouns, object);
  const std::string agent = word(people, subject);
  std::string text = f.says(day) && w.day_first ? word(days, day) + ", " : "";
  if (w.passive) {
    text += target + (f.social ? " was " : " were ") + (f.negated ? "not " : "") + form.participle + " by " + agent;
  } else {
    text += agent + " " + (f.negated ? "did not " + form.base : form.past) + " " + target;
  }
  if (f.says(place)) text += " " + word(places, place);
  if (f.says(day) && !w.day_first) text += " " + word(days, day);
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text + ".";
}

struct pair {
  std::string a, b, label;
};

inline slot any(const std::vector<slot>& list, dice& roll) {
  return list[static_cast<std::size_t>(roll.below(static_cast<int>(list.size())))];
}

inline std::vector<slot> said(const fact& f) {
  std::vector<slot> list{subject, verb, object};
  for (const slot s : details(f)) {
    if (f.says(s)) list.push_back(s);
  }
  return list;
}

/// Changes one thing that F says: a word, or who did it to whom.
inline void change_one(fact& f, dice& roll) {
  if (f.social && roll.chance(0.3)) return std::swap(f.slots[subject], f.slots[object]);
  change(f, any(said(f), roll), roll);
}

/// RTE-like. The hypothesis comes first, without a look at the label, so that it tells nothing; then a premise that implies it (more
/// details, a narrower noun, the other voice) or one that does not (a changed word, changed roles, a wider noun, the other polarity,
/// a detail missing). The rates keep the words of the premises alike under both labels.
inline pair entailment_pair(dice& roll) {
  const bool follows = roll.chance(0.5);
  fact hypothesis = random_fact(roll, 0.5);
  hypothesis.general = !hypothesis.social && roll.chance(0.5);
  hypothesis.negated = roll.chance(0.2);
  fact premise = hypothesis;
  const bool flipped = !follows && roll.chance(hypothesis.negated ? 0.4 : 0.1);
  premise.negated = hypothesis.negated != flipped;
  if (!premise.negated && !hypothesis.negated) {
    for (const slot s : details(premise)) {
      if (!premise.says(s) && roll.chance(0.5)) premise.slots[s] = roll.below(choices(premise, s));
    }
    const bool widened = !follows && !hypothesis.general && !hypothesis.social && roll.chance(0.2);
    if (widened) {
      premise.general = true;
    } else {
      if (hypothesis.general) premise.general = roll.chance(follows ? 0.4 : 0.2);
      if (hypothesis.general && !premise.general) {
        premise.slots[object] = premise.slots[object] / nouns_a_kind * nouns_a_kind + roll.below(nouns_a_kind);
      }
      if (!follows) {
        const slot left_out = any(details(premise), roll);
        if (hypothesis.says(left_out) && roll.chance(0.2)) {
          premise.slots[left_out] = -1;
        } else {
          const fact before = premise;
          const slot s = any(said(hypothesis), roll);
          if (premise.social && roll.chance(0.3)) {
            std::swap(premise.slots[subject], premise.slots[object]);
          } else {
            change(premise, s, roll);
            while (s == object && hypothesis.general && premise.slots[object] / nouns_a_kind == before.slots[object] / nouns_a_kind) {
              change(premise, s, roll);
            }
          }
        }
      }
    }
  } else if (!follows && !flipped) {
    change_one(premise, roll);
  }
  const auto wording_of = [&] { return wording{roll.chance(0.3), roll.chance(0.2), false, false}; };
  return {sentence(premise, wording_of()), sentence(hypothesis, wording_of()), follows ? "entailment" : "not_entailment"};
}

/// MRPC-like: the same fact in other words (synonyms, voice, order), or one that differs in a word, in a detail or in the width of its
/// noun.
inline pair paraphrase_pair(dice& roll) {
  const bool same = roll.chance(0.5);
  fact one = random_fact(roll, 0.75);
  one.general = !one.social && roll.chance(0.15);
  fact two = one;
  if (!same) {
    const slot left_out = any(details(two), roll);
    if (two.says(left_out) && roll.chance(0.15)) {
      two.slots[left_out] = -1;
    } else if (!two.social && roll.chance(0.1)) {
      two.general = !two.general;
    } else {
      change_one(two, roll);
    }
    if (roll.chance(0.5)) std::swap(one, two);
  }
  const auto wording_of = [&] { return wording{roll.chance(0.3), roll.chance(0.3), roll.chance(0.4), roll.chance(0.4)}; };
  return {sentence(one, wording_of()), sentence(two, wording_of()), same ? "1" : "0"};
}

inline constexpr int most_differences = 5;

/// Warm-up: how many words of one fact differ in the other? Both take the same of two synonyms and name kinds or their members alike.
inline pair comparison_pair(dice& roll) {
  fact one = random_fact(roll, 0.85);
  one.general = !one.social && roll.chance(0.2);
  auto list = said(one);
  const int differences = roll.below(std::min(most_differences, static_cast<int>(list.size())) + 1);
  fact two = one;
  for (int i = 0; i < differences; ++i) {
    const auto at = list.begin() + roll.below(static_cast<int>(list.size()));
    change(two, *at, roll);
    list.erase(at);
  }
  const bool other_verb = roll.chance(0.5), other_adjective = roll.chance(0.5);
  const auto wording_of = [&] { return wording{roll.chance(0.3), roll.chance(0.3), other_verb, other_adjective}; };
  return {sentence(one, wording_of()), sentence(two, wording_of()), std::to_string(differences)};
}

}  // namespace example
