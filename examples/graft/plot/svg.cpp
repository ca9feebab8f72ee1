#include "plot/svg.hpp"

#include <utf8proc.h>

#include <array>

#include "graft/core/number_text.hpp"
#include "graft/core/printable.hpp"
#include "graft/core/utf8.hpp"

namespace graft::program::detail {

/// The code points of TEXT; bytes that are not UTF-8, control characters, and what else XML 1.0 forbids become U+FFFD.
std::u32string xml_characters(std::string_view text) {
  std::u32string out;
  graft::detail::for_each_code_point(text, [&](std::int32_t c, std::string_view) {
    const bool allowed = c >= 0 && (!graft::detail::is_control(c) || c == '\t' || c == '\n' || c == '\r') && c != 0xFFFE && c != 0xFFFF;
    out += allowed ? static_cast<char32_t>(c) : U'\uFFFD';
  });
  return out;
}

/// Widest usual advance of C in a sans-serif face, in font sizes.
double character_width(char32_t c) { return utf8proc_charwidth(static_cast<utf8proc_int32_t>(c)) > 1 ? 1.0 : 0.62; }

}  // namespace graft::program::detail

namespace graft::program {

std::string escaped(std::string_view text) {
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
      default:
        graft::detail::append_code_point(out, static_cast<std::int32_t>(c));
    }
  }
  return out;
}

double text_width(std::string_view text, double size) {
  double width = 0;
  for (const char32_t c : detail::xml_characters(text)) width += size * detail::character_width(c);
  return width;
}

std::string shortened(std::string_view text, double size, double width) {
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
    graft::detail::append_code_point(out, static_cast<std::int32_t>(characters[i]));
  }
  return out;
}

pen adapter_pen(std::size_t i) {
  static const std::array<const char*, 7> colors = {"#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#1F2328"};
  const std::size_t color = i % colors.size();
  return {"s" + std::to_string(color), colors[color], i < colors.size() ? "" : "9 3"};
}

pen base_pen() { return {"base", "#7A8490", "4 3"}; }

svg::svg(double width, double height, const std::string& title) {
  out_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot" + std::string(width < 600 ? " narrow" : "") + "\" role=\"img\" width=\"" +
         number(width) + "\" height=\"" + number(height) + "\" viewBox=\"0 0 " + number(width) + " " + number(height) +
         "\" font-family=\"'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', sans-serif\" font-size=\"12\">\n<title>" +
         escaped(title) + "</title>\n<rect class=\"paper\" width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>\n";
}

std::string svg::number(double value) {
  std::string text = fixed_text(value, 1);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}

void svg::begin_group(const std::string& attributes) { out_ += "<g " + attributes + ">\n"; }

void svg::end_group() { out_ += "</g>\n"; }

void svg::text(double x, double y, const std::string& content, const std::string& anchor, bool muted, const std::string& extra) {
  out_ += "<text class=\"" + std::string(muted ? "muted" : "ink") + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" fill=\"" +
          (muted ? "#57606A" : "#1F2328") + "\" text-anchor=\"" + anchor + "\"" + (extra.empty() ? "" : " " + extra) + ">" +
          escaped(content) + "</text>\n";
}

void svg::rule(const std::string& kind, double x1, double y1, double x2, double y2) {
  out_ += "<path class=\"" + kind + "\" stroke=\"" + (kind == "grid" ? "#E4E7EB" : "#8C959F") + "\" d=\"M" + number(x1) + " " + number(y1) +
          "L" + number(x2) + " " + number(y2) + "\"/>\n";
}

void svg::stroke(const std::string& path, const pen& p, const std::string& name) {
  out_ += "<path class=\"line " + p.name + "\" fill=\"none\" stroke=\"" + p.color + "\" stroke-width=\"" + number(p.width) + "\"" +
          (p.dash.empty() ? "" : " stroke-dasharray=\"" + p.dash + "\"") +
          (p.opacity < 1 ? " stroke-opacity=\"" + fixed_text(p.opacity, 2) + "\"" : "") + " stroke-linejoin=\"round\" d=\"" + path + "\">" +
          hint(name) + "</path>\n";
}

void svg::bar(double x, double y, double width, double height, const pen& p, const std::string& name) {
  out_ += "<rect class=\"fill " + p.name + "\" x=\"" + number(x) + "\" y=\"" + number(y) + "\" width=\"" + number(width) + "\" height=\"" +
          number(height) + "\" fill=\"" + p.color + "\">" + hint(name) + "</rect>\n";
}

void svg::dot(double x, double y, double radius, const pen& p, const std::string& name) {
  out_ += "<circle class=\"fill " + p.name + "\" cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"" + number(radius) + "\" fill=\"" +
          p.color + "\">" + hint(name) + "</circle>\n";
}

std::string svg::finished() const { return out_ + "</svg>\n"; }

std::string svg::hint(const std::string& name) { return name.empty() ? "" : "<title>" + escaped(name) + "</title>"; }

}  // namespace graft::program
