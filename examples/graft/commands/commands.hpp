#pragma once
// The sub-commands, each in the file of its name. argv[0] is the sub-command's name; the result is the exit code.

namespace graft::program {

int export_model(int argc, const char* const* argv);
int convert_adapter(int argc, const char* const* argv);
int merge_adapters(int argc, const char* const* argv);
int prepare_tasks(int argc, const char* const* argv);
int tokenize(int argc, const char* const* argv);
int train_adapter(int argc, const char* const* argv);
int train_multi_adapter(int argc, const char* const* argv);
int predict(int argc, const char* const* argv);
int evaluate(int argc, const char* const* argv);
int embed(int argc, const char* const* argv);
int plot(int argc, const char* const* argv);
int sweep(int argc, const char* const* argv);
int report(int argc, const char* const* argv);

}  // namespace graft::program
