// A process that receives some types of messages and leaves the others for later.
#include <troupe/actors/process.hpp>

#include "actors/helpers.hpp"
#include "actors/listening.hpp"
#include "support/catch.hpp"
#include "support/random_numbers.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using namespace troupe::testing::hearing;

TEST_CASE("a receive of one type takes the oldest of that type and leaves the others in order") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    for (int times = 0; times < 2; ++times) {
      const number n = co_await inbox.receive<number>();
      into.push_back(std::to_string(n.value));
    }
    for (int times = 0; times < 3; ++times) {
      auto left = co_await inbox.receive();
      auto* const w = std::get_if<word>(&left);
      into.push_back(w != nullptr ? w->text : std::to_string(std::get<number>(left).value));
    }
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(word{"a"});
          to.tell(word{"b"});
          to.tell(number{1});
          co_await settle();
          to.tell(number{2});
          to.tell(number{3});
          co_await settle();
        }) == journal{"1", "2", "a", "b", "3"});
}

TEST_CASE("a receive of several types takes the oldest message that is one of them") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    for (int times = 0; times < 2; ++times) {
      auto got = co_await inbox.receive<word, number>();
      static_assert(std::is_same_v<decltype(got), std::variant<word, number>>);
      into.push_back(got.index() == 0 ? std::get<word>(got).text
                                      : std::to_string(std::get<number>(got).value));
    }
    static_cast<void>(co_await inbox.receive<finish>());
    into.push_back("finish");
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(finish{});
          to.tell(number{1});
          to.tell(word{"a"});
          co_await settle();
        }) == journal{"1", "a", "finish"});
}

TEST_CASE("a process looks for something else among the messages that it passed over") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    static_cast<void>(co_await inbox.receive<finish>());
    const word w = co_await inbox.receive<word>();
    static_cast<void>(co_await inbox.receive<finish>());
    const number n = co_await inbox.receive<number>();
    into.push_back(w.text + std::to_string(n.value));
    auto last = co_await inbox.receive();
    into.push_back(std::get<word>(last).text);
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(number{1});
          to.tell(word{"a"});
          to.tell(finish{});
          to.tell(word{"b"});
          to.tell(finish{});
          co_await settle();
        }) == journal{"a1", "b"});
}

TEST_CASE(
    "the message at the place up to which a process has looked may be taken by another receive") {
  auto choosy = [](inbox_of_all& inbox, journal& into) -> coro<> {
    static_cast<void>(co_await inbox.receive<finish>());  // passes the word over
    auto first = co_await inbox.receive();                // takes it
    into.push_back(std::get<word>(first).text);
    static_cast<void>(co_await inbox.receive<finish>());
    into.push_back("finish");
    auto last = co_await inbox.receive();
    into.push_back(std::get<word>(last).text);
  };
  CHECK(play(choosy, [](actor_ref<listening> to, journal&) -> coro<> {
          to.tell(word{"a"});
          to.tell(finish{});
          co_await settle();
          to.tell(word{"b"});
          to.tell(finish{});
          co_await settle();
        }) == journal{"a", "finish", "b"});
}

namespace {

/// One receive of a script: of a number, a word, or either, by a receive of both or of any.
enum class wish { number, word, both, any };

struct random_script {
  explicit random_script(std::uint64_t seed) : random(seed) {
    std::vector<std::pair<bool, int>> left;
    for (int place = 0; place < 80; ++place) left.emplace_back(random.below(2) == 0, place);
    sent = left;
    while (!left.empty()) {
      const auto wanted = static_cast<wish>(random.below(4));
      auto found = left.begin();
      while (found != left.end() && (wanted == wish::number || wanted == wish::word) &&
             found->first != (wanted == wish::number))
        ++found;
      if (found == left.end()) continue;
      wishes.push_back(wanted);
      expected.push_back(std::to_string(found->second));
      left.erase(found);
    }
  }

  random_numbers random;
  std::vector<std::pair<bool, int>> sent;  ///< whether it is a number, and its place
  std::vector<wish> wishes;
  journal expected;
};

coro<> wishful(mailbox<number, word, finish>& inbox, const std::vector<wish>& wishes,
               journal& into) {
  auto note = [&](const auto& got) {
    if constexpr (requires { got.value; }) into.push_back(std::to_string(got.value));
    if constexpr (requires { got.text; }) into.push_back(got.text);
  };
  for (const wish each : wishes) {
    if (each == wish::number) {
      const auto got = co_await inbox.receive<number>();
      note(got);
    } else if (each == wish::word) {
      const auto got = co_await inbox.receive<word>();
      note(got);
    } else if (each == wish::both) {
      const auto got = co_await inbox.receive<word, number>();
      std::visit(note, got);
    } else {
      const auto got = co_await inbox.receive();
      std::visit(note, got);
    }
  }
}

}  // namespace

TEST_CASE("random receives take what a list gives that is searched from its beginning") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    random_script script(seed);
    journal received;
    auto body = [&]() -> coro<> {
      auto to = spawn(wishful, std::cref(script.wishes), std::ref(received));
      auto end = to.stopped();
      for (const auto& [is_number, place] : script.sent) {
        if (is_number) {
          to.tell(number{place});
        } else {
          to.tell(word{std::to_string(place)});
        }
        if (script.random.below(4) == 0) co_await sleep(0s);
      }
      static_cast<void>(co_await end);
    };
    testing::run(body());
    INFO("seed " << seed);
    CHECK(received == script.expected);
  }
}

TEST_CASE(
    "thousands of messages that a process keeps are looked at once, however many others come") {
  // Each of the receives would take a walk of ten thousand steps: a second and more. The test counts no time; it is quick or not.
  constexpr int many = 10'000;
  int taken = 0;
  int kept = 0;
  auto body = [&]() -> coro<> {
    auto keeper = [&](mailbox<number, word>& inbox) -> coro<> {
      while (taken < many) {
        const word w = co_await inbox.receive<word>();
        taken += static_cast<int>(w.text.size());
      }
      while (std::optional<number> n = inbox.try_receive<number>()) kept += n->value == kept;
    };
    auto to = spawn(keeper);
    for (int count = 0; count < many; ++count) to.tell(number{count});
    co_await settle();
    for (int count = 0; count < many; ++count) {
      to.tell(word{"w"});
      if (count % 2 == 0) co_await sleep(0s);
    }
    auto end = to.stopped();
    static_cast<void>(co_await end);
  };
  testing::run(body());
  CHECK(taken == many);
  CHECK(kept == many);
}
