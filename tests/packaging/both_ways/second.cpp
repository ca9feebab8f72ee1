#include "numbers.hpp"

std::vector<double> numbers_of_the_second(const std::string& golden);
std::vector<double> numbers_of_the_second(const std::string& golden) { return numbers(golden); }
