// A troupe actor and a CAF actor that do the same, and the messages that they share.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/caf/from_caf.hpp>
#include <troupe/actors/caf/to_caf.hpp>
#include <troupe/actors/link.hpp>
#include <troupe/actors/monitor.hpp>
#include <troupe/actors/spawn.hpp>

#include "caf/support.hpp"

#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace troupe::testing::caf_actors {

struct deposit {
  int cents = 0;
};
struct balance {
  using reply = int;
};
struct refuse {
  using reply = int;
};
struct crash {
  using reply = int;
};
struct never {
  using reply = int;
};
struct flush {
  using reply = void;
};
struct add {
  using reply = int;
  int a = 0;
  std::int64_t b = 0;
};
struct sub {
  using reply = int;
  using caf_form = caf_fields<caf::sub_atom>;
  int a = 0;
  int b = 0;
};
struct split {
  using reply = std::tuple<std::string, int>;
  std::string text;
};
using bank = protocol<deposit, balance, refuse, crash, never, flush, add, sub, split>;
using narrow = protocol<balance>;

class account : public actor<bank> {
 public:
  using interleave = all_messages;
  void on(deposit d) { cents_ += d.cents; }
  int on(balance) { return cents_; }
  int on(refuse) { throw rejected("no funds"); }
  int on(crash) { throw std::runtime_error("out of paper"); }
  coro<int> on(never) {
    co_await sleep(infinite);
    co_return 0;
  }
  void on(flush) { cents_ = 0; }
  int on(add a) { return a.a + static_cast<int>(a.b); }
  int on(sub s) { return s.a - s.b; }
  std::tuple<std::string, int> on(split s) { return {s.text, static_cast<int>(s.text.size())}; }

 private:
  int cents_ = 0;
};

inline caf::behavior caf_account(caf::stateful_actor<int>* self) {
  using keep = std::shared_ptr<std::vector<caf::response_promise>>;
  auto kept = std::make_shared<std::vector<caf::response_promise>>();
  self->set_exception_handler(
      [](std::exception_ptr&) { return make_error(caf::sec::runtime_error); });
  return {[=](const deposit& d) { self->state += d.cents; },
          [=](balance) { return self->state; },
          [](refuse) -> caf::result<int> {
            return make_error(caf::sec::invalid_argument, std::string("no funds"));
          },
          [](crash) -> int { throw std::runtime_error("out of paper"); },
          [=, kept = keep(kept)](never) {
            kept->push_back(self->make_response_promise());
            return kept->back();
          },
          [=](flush) { self->state = 0; },
          [](caf::add_atom, int a, std::int64_t b) { return a + static_cast<int>(b); },
          [](caf::sub_atom, int a, int b) { return a - b; },
          [](split s) -> caf::result<std::string, int> {
            return {s.text, static_cast<int>(s.text.size())};
          }};
}

}  // namespace troupe::testing::caf_actors

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::testing::caf_actors::deposit)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::testing::caf_actors::split)

template <>
struct troupe::caf_form<troupe::testing::caf_actors::add> : troupe::caf_fields<caf::add_atom> {};
