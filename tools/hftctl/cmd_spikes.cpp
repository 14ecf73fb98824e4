#include "tools/hftctl/command.hpp"
namespace hftctl { void add_spikes(CLI::App&, int&) {} }
