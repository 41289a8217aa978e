// The function that a process is, and the arguments it is given.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "actors/mourner.hpp"
#include "support/catch.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::mourning;

namespace {

coro<> with_arguments(noting_box&, const std::string& text, std::unique_ptr<int> number,
                      journal& into) {
  co_await settle();
  into.push_back(text + std::to_string(*number));
}

}  // namespace

TEST_CASE("the arguments of a process live as long as it does, also those it takes by reference") {
  const played result = play([](journal& into) -> coro<> {
    static_cast<void>(co_await spawn(with_arguments, "a text that is longer than a small string ",
                                     std::make_unique<int>(7), std::ref(into))
                          .stopped());
  });
  CHECK(result.into == journal{"a text that is longer than a small string 7"});
}

TEST_CASE("a lambda that is a process may capture, and may be gone when the process runs") {
  const played result = play([](journal& into) -> coro<> {
    std::optional<actor_ref<noting>> one;
    {
      std::string captured = "a text that is longer than a small string";
      one = spawn([captured, &into](noting_box& inbox) mutable -> coro<> {
        const note n = co_await inbox.receive<note>();
        captured += n.text;
        into.push_back(captured);
      });
    }
    co_await settle();
    one->tell(note{"!"});
    static_cast<void>(co_await one->stopped());
  });
  CHECK(result.into == journal{"a text that is longer than a small string!"});
}

TEST_CASE("a process whose argument throws when it is moved is not there, and spawn throws") {
  struct heavy {
    heavy() = default;
    heavy(const heavy&) { throw std::runtime_error("too heavy"); }
  };
  const played result = play([](journal& into) -> coro<> {
    try {
      spawn([](noting_box&, heavy) -> coro<> { co_return; }, heavy());
    } catch (const std::runtime_error& error) {
      into.push_back(error.what());
    }
    co_await settle();
  });
  CHECK(result.into == journal{"too heavy"});
}
