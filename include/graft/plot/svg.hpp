#pragma once
// SVG text: escaping, colors, and the few shapes that the pictures are made of.
//
// Every shape carries its colors as attributes, for readers that know no CSS, and a class, by which the report recolors it for dark pages.

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "graft/core/printable.hpp"
#include "graft/plot/axis.hpp"

namespace graft {

namespace detail {

/// The code points of TEXT; bytes that are not UTF-8, control characters, and what else XML 1.0 forbids become U+FFFD.
inline std::u32string xml_characters(std::string_view text) {
  std::u32string out;
  while (!text.empty()) {
    utf8proc_int32_t c = 0;
    const auto used =
        utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &c);
    const bool allowed = used > 0 && (!is_control(c) || c == '\t' || c == '\n' || c == '\r') && c != 0xFFFE && c != 0xFFFF;
    out += allowed ? static_cast<char32_t>(c) : U'\uFFFD';
    text.remove_prefix(used > 0 ? static_cast<std::size_t>(used) : 1);
  }
  return out;
}

/// Widest usual advance of C in a sans-serif face, in font sizes.
inline double character_width(char32_t c) { return utf8proc_charwidth(static_cast<utf8proc_int32_t>(c)) > 1 ? 1.0 : 0.62; }

}  // namespace detail

/// TEXT for XML and HTML content and attribute values.
inline std::string escaped(std::string_view text) {
  std::string out;
  for (const char32_t c : detail::xml_characters(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default: {
        utf8proc_uint8_t bytes[4];
        out.append(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(utf8proc_encode_char(static_cast<utf8proc_int32_t>(c), bytes)));
      }
    }
  }
  return out;
}

/// A generous estimate, in pixels, of how wide TEXT is at font size SIZE: no fonts are at hand here.
inline double text_width(std::string_view text, double size) {
  double width = 0;
  for (const char32_t c : detail::xml_characters(text)) width += size * detail::character_width(c);
  return width;
}

/// TEXT, or as much of its start and end around "…" as fits into WIDTH pixels: names often differ in their last characters.
inline std::string shortened(std::string_view text, double size, double width) {
  if (text_width(text, size) <= width) return std::string(text);
  const auto characters = detail::xml_characters(text);
  std::size_t head = 0;
  std::size_t tail = characters.size();
  for (double used = size; head < tail;) {
    const bool front = head <= characters.size() - tail;
    used += size * detail::character_width(front ? characters[head] : characters[tail - 1]);
    if (used > width) break;
    front ? ++head : --tail;
  }
  std::string out;
  for (std::size_t i = 0; i < characters.size(); ++i) {
    if (i == head) out += "…";
    if (i >= head && i < tail) continue;
    utf8proc_uint8_t bytes[4];
    out.append(reinterpret_cast<char*>(bytes),
               static_cast<std::size_t>(utf8proc_encode_char(static_cast<utf8proc_int32_t>(characters[i]), bytes)));
  }
  return out;
}

/// How a line, and the bar that belongs to it, looks.
struct pen {
  std::string name;  // CSS class
  std::string color;
  std::string dash = "";
  double width = 1.8;
  double opacity = 1;
};

/// The pen of the I-th adapter: the colors of Okabe and Ito (2008), told apart by color-blind readers too, with their black in the place of
/// the yellow, which is lost on white paper; then the same again, dashed.
inline pen adapter_pen(std::size_t i) {
  static const std::array<const char*, 7> colors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1F2328"};
  const std::size_t color = i % colors.size();
  return {"s" + std::to_string(color), colors[color], i < colors.size() ? "" : "9 3"};
}

inline pen base_pen() { return {"base", "#7A8490", "4 3"}; }

/// Collects shapes; coordinates are pixels from the upper left corner, written to a tenth.
class svg {
 public:
  svg(double width, double height, const std::string& title) {
    out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" width=\"" + number(width) + "\" height=\"" +
           number(height) + "\" viewBox=\"0 0 " + number(width) + " " + number(height) +
           "\" font-family=\"'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\" font-size=\"12\">\n<title>" +
           escaped(title) + "</title>\n<rect class=\"paper\" width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n";
  }

  static std::string number(double value) {
    std::string text = fixed_text(value, 1);
    if (text.ends_with(".0")) text.resize(text.size() - 2);
    return text;
  }

  /// ANCHOR: start, middle or end. EXTRA: more attributes.
  void text(double x, double y, const std::string& content, const std::string& anchor = "start", bool muted = false,
            const std::string& extra = "") {
    out_ += "<text class=\"" + std::string(muted ? "muted" : "ink") + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" fill=\"" +
            (muted ? "#57606A" : "#1F2328") + "\" text-anchor=\"" + anchor + "\"" + (extra.empty() ? "" : " " + extra) + ">" +
            escaped(content) + "</text>\n";
  }

  /// A straight line of the scaffolding: "grid" or "axis".
  void rule(const std::string& kind, double x1, double y1, double x2, double y2) {
    out_ += "<path class=\"" + kind + "\" stroke=\"" + (kind == "grid" ? "#E4E7EB" : "#8C959F") + "\" d=\"M" + number(x1) + " " +
            number(y1) + "L" + number(x2) + " " + number(y2) + "\"/>\n";
  }

  /// PATH in the syntax of the d attribute, drawn with PEN; NAME appears when a reader points at it.
  void stroke(const std::string& path, const pen& p, const std::string& name) {
    out_ += "<path class=\"line " + p.name + "\" fill=\"none\" stroke=\"" + p.color + "\" stroke-width=\"" + number(p.width) + "\"" +
            (p.dash.empty() ? "" : " stroke-dasharray=\"" + p.dash + "\"") +
            (p.opacity < 1 ? " stroke-opacity=\"" + fixed_text(p.opacity, 2) + "\"" : "") + " stroke-linejoin=\"round\" d=\"" + path +
            "\">" + hint(name) + "</path>\n";
  }

  void bar(double x, double y, double width, double height, const pen& p, const std::string& name) {
    out_ += "<rect class=\"fill " + p.name + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) +
            "\" height=\"" + number(height) + "\" fill=\"" + p.color + "\">" + hint(name) + "</rect>\n";
  }

  void dot(double x, double y, double radius, const pen& p, const std::string& name) {
    out_ += "<circle class=\"fill " + p.name + "\" cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"" + number(radius) + "\" fill=\"" +
            p.color + "\">" + hint(name) + "</circle>\n";
  }

  std::string finished() const { return out_ + "</svg>\n"; }

 private:
  static std::string hint(const std::string& name) { return name.empty() ? "" : "<title>" + escaped(name) + "</title>"; }

  std::string out_;
};

}  // namespace graft
