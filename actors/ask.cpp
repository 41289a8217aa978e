#include <troupe/actors/ask.hpp>
#include <troupe/actors/reply_to.hpp>

#include <cstdio>
#include <string>

namespace troupe::internal {

namespace {
std::string in_seconds(duration limit) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", std::chrono::duration<double>(limit).count());
  return text;
}
}  // namespace

constinit thread_local reply_slot* reply_in_hand = nullptr;
constinit thread_local reply_slot* reply_orphaned = nullptr;

std::exception_ptr no_reply_error() {
  return std::make_exception_ptr(no_reply("the request was dropped without an answer"));
}

std::exception_ptr timeout_of(const cell& target, std::string_view message, duration limit) {
  return std::make_exception_ptr(ask_timeout(target.description() + " did not answer " +
                                             std::string(message) + " within " + in_seconds(limit) +
                                             " (" + target.condition() + ")"));
}

}  // namespace troupe::internal
