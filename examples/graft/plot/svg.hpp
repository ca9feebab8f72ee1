#pragma once
// SVG text: escaping, colors, and the few shapes that the pictures are made of.
//
// Every shape carries its colors as attributes, for readers that know no CSS, and a class, by which the report recolors it for dark pages.

#include <cstddef>
#include <string>
#include <string_view>

namespace graft::program {

/// TEXT for XML and HTML content and attribute values.
std::string escaped(std::string_view text);

/// A generous estimate, in pixels, of how wide TEXT is at font size SIZE: no fonts are at hand here.
double text_width(std::string_view text, double size);

/// TEXT, or as much of its start and end around "…" as fits into WIDTH pixels: names often differ in their last characters.
std::string shortened(std::string_view text, double size, double width);

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
pen adapter_pen(std::size_t i);

pen base_pen();

/// Collects shapes; coordinates are pixels from the upper left corner, written to a tenth.
class svg {
 public:
  svg(double width, double height, const std::string& title);

  static std::string number(double value);

  /// Shapes until `end_group` belong together; ATTRIBUTES say what they are.
  void begin_group(const std::string& attributes);
  void end_group();

  /// ANCHOR: start, middle or end. EXTRA: more attributes.
  void text(double x, double y, const std::string& content, const std::string& anchor = "start", bool muted = false,
            const std::string& extra = "");

  /// A straight line of the scaffolding: "grid" or "axis".
  void rule(const std::string& kind, double x1, double y1, double x2, double y2);

  /// PATH in the syntax of the d attribute, drawn with PEN; NAME appears when a reader points at it.
  void stroke(const std::string& path, const pen& p, const std::string& name);

  void bar(double x, double y, double width, double height, const pen& p, const std::string& name);

  void dot(double x, double y, double radius, const pen& p, const std::string& name);

  std::string finished() const;

 private:
  static std::string hint(const std::string& name);

  std::string out_;
};

}  // namespace graft::program
