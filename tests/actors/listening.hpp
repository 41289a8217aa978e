// Messages for processes that listen, and a way to let one listen to a script. In a namespace of its own, for other
// tests have other messages of these names.
#pragma once

#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"

#include <functional>
#include <string>

namespace troupe::testing::hearing {

struct number {
  int value;
};
struct word {
  std::string text;
};
struct sum {
  using reply = int;
};
struct finish {};
using listening = protocol<number, word, sum, finish>;
using inbox_of_all = mailbox<number, word, sum, finish>;

/// Lets `body` be a process, to which `script` sends, and gives the journal.
template <class Process, class Script>
journal play(Process body, Script script) {
  journal into;
  auto scene = [&]() -> coro<> {
    auto to = spawn(body, std::ref(into));
    co_await script(to, into);
  };
  testing::run(scene());
  return into;
}

}  // namespace troupe::testing::hearing
