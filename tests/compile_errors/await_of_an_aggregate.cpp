// g++ 12 would destroy the message twice.
// expect: use of deleted function
#if defined(__clang__) || __GNUC__ > 12
#error "only g++ 12 has this trap; elsewhere there is no use of deleted function"
#endif
#include <troupe/troupe.hpp>

#include <string>

struct greet {
  using reply = int;
  std::string whom;
};

troupe::coro<int> wrong(troupe::actor_ref<troupe::protocol<greet>> to) {
  const int answer = co_await to.ask(greet{"somebody"});
  co_return answer;
}
