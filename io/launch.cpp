// What is said of a child before it is started: checked, and copied.
#include <troupe/io/internal/spawn.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace troupe::io::internal {

namespace {

[[noreturn]] void refuse(const std::string& what) {
  throw std::invalid_argument("a subprocess: " + what);
}

/// What ends at a zero byte for the system must not have one.
std::string checked(std::string_view text, const char* what) {
  if (text.find('\0') != std::string_view::npos)
    refuse(std::string(what) + " has a zero byte in it, where the system would cut it off: '" +
           std::string(text.substr(0, text.find('\0'))) + "'...");
  return std::string(text);
}

std::string_view name_of(std::string_view setting) { return setting.substr(0, setting.find('=')); }

std::string checked_setting(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos || equals == 0)
    refuse("'" + setting + "' is no setting for an environment: write NAME=value");
  return checked(setting, "a setting of its environment");
}

}  // namespace

launch::launch(std::string program, std::vector<std::string> arguments,
               const process_options& options)
    : program_(checked(program, "its program")),
      cwd_(checked(options.cwd, "its cwd")),
      group_(options.group),
      umask_(options.umask),
      pass_(options.pass.begin(), options.pass.end()),
      grace_(options.grace),
      streams_(options.streams) {
  if (program_.empty()) refuse("the name of its program is empty");
  arguments_.reserve(arguments.size() + 1);
  arguments_.push_back(program_);
  for (const std::string& each : arguments) arguments_.push_back(checked(each, "an argument"));
  const stdio given[] = {options.input, options.output, options.errors};
  for (std::size_t index = 0; index < ways_.size(); ++index) {
    const stdio& each = given[index];
    if (each.kind() == stdio::to::merged && index != 2)
      refuse("only its errors can be merged, into its output");
    if (each.kind() == stdio::to::descriptor && each.native() < 0)
      refuse("a standard stream is to lead to a descriptor that is none");
    if ((each.kind() == stdio::to::file || each.kind() == stdio::to::append) && each.path().empty())
      refuse("a standard stream is to lead to a file with an empty name");
    ways_[index] = {each.kind(), each.native(), checked(each.path(), "the name of a file")};
  }
  for (const resource_limit& each : options.limits)
    limits_.push_back({each.resource, {each.soft, each.hard}});
  for (const int each : pass_) {
    if (each < 3)
      refuse("descriptor " + std::to_string(each) +
             " cannot be passed on as such: those below 3 are its standard streams");
  }
  set_environment(options);
  find_candidates();
}

void launch::set_environment(const process_options& options) {
  own_environment_ = options.env.has_value() || !options.add_env.empty();
  inherits_environment_ = !options.env.has_value();
  if (!own_environment_) return;
  if (options.env) {
    for (const std::string& each : *options.env) environment_.push_back(checked_setting(each));
  } else {
    for (char** each = ::environ; each != nullptr && *each != nullptr; ++each)
      environment_.emplace_back(*each);
  }
  for (const std::string& each : options.add_env) {
    std::string added = checked_setting(each);
    const auto same = [&](const std::string& other) { return name_of(other) == name_of(added); };
    environment_.erase(std::remove_if(environment_.begin(), environment_.end(), same),
                       environment_.end());
    if (inherits_environment_) added_.push_back(added);
    environment_.push_back(std::move(added));
  }
  if (!inherits_environment_) added_ = environment_;
}

/// A name without a slash is looked for in the PATH that the child will have.
void launch::find_candidates() {
  if (program_.find('/') != std::string::npos) {
    candidates_.push_back(program_);
    return;
  }
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  if (own_environment_) {
    for (const std::string& each : environment_) {
      if (name_of(each) == "PATH") path = std::string_view(each).substr(5);
    }
  } else if (const char* const set = std::getenv("PATH")) {
    path = set;
  }
  for (;;) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    candidates_.push_back((folder.empty() ? std::string(".") : std::string(folder)) + "/" +
                          program_);
    if (colon == std::string_view::npos) return;
    path.remove_prefix(colon + 1);
  }
}

}  // namespace troupe::io::internal
