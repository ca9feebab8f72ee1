// Prints, bit by bit, the numbers that two units compute; both_ways GOLDEN_FOLDER

#include <cstdio>

#include "numbers.hpp"

std::vector<double> numbers_of_the_second(const std::string& golden);

int main(int, char** argv) {
  const std::vector<double> own = numbers(argv[1]);
  for (const double x : own) std::printf("%a\n", x);
  return own.size() > 100 && own == numbers_of_the_second(argv[1]) ? 0 : 1;
}
