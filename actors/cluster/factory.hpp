#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/actors/actor_ref.hpp>
#include <troupe/actors/errors.hpp>
#include <troupe/actors/spawn.hpp>
#include <troupe/runtime/failure.hpp>

#include <exception>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace troupe::cluster::internal {

/// Asks for an actor of protocol `P`, made of these.
template <class P, class... Args>
struct start_actor {
  using reply = actor_ref<P>;
  std::tuple<Args...> with;
};

inline constexpr std::string_view factories = "troupe/start/";

/// Starts actors for other nodes: see `node::offer`.
template <class A, class... Args>
class factory : public actor<protocol<start_actor<typename A::protocol_type, Args...>>> {
 public:
  using made = typename A::protocol_type;

  actor_ref<made> on(start_actor<made, Args...> wanted) {
    std::exception_ptr failed;
    try {
      return std::apply([](Args&... each) { return troupe::spawn<A>(std::move(each)...); },
                        wanted.with);
    } catch (...) {
      failed = std::current_exception();
    }
    throw rejected("it could not be started: " + troupe::describe(failed));
  }
};

}  // namespace troupe::cluster::internal
