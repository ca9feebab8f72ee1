// Unicode classes from utf8proc, with graft's source tree inside another project's.

#include "graft/text/utf8.hpp"

int main() { return graft::strip("\u2003graft\n") == "graft" ? 0 : 1; }
