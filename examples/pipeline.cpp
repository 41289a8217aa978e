// Back-pressure from one end to the other. Each stage has a small mailbox, and `send` waits for room in the next one: so the source,
// which could be a thousand times as fast, goes at the speed of the slowest stage, and memory stays flat.
// Run: pipeline        Prints: how many words came out, and the most lines that were under way at once
#include <troupe/troupe.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

using namespace std::chrono_literals;

struct line {
  explicit line(std::string given) : text(std::move(given)) {}
  std::string text;
};
struct word {
  explicit word(std::string_view given) : text(given) {}
  std::string text;
};
struct finish {
  using reply = std::size_t;  // how many words have come out
};
using line_stage = troupe::actor_ref<troupe::protocol<line, finish>>;
using word_stage = troupe::actor_ref<troupe::protocol<word, finish>>;

std::size_t under_way = 0;  // lines sent and not split yet; all of this is on one loop, so no lock

// [stages]
constexpr troupe::mailbox_options small{.capacity = 4, .when_full = troupe::overflow::suspend};

/// Makes words of lines. While it waits for room in the next stage its own mailbox fills up, and who sends to it waits in turn.
class splitter : public troupe::actor<troupe::protocol<line, finish>> {
 public:
  static constexpr troupe::mailbox_options mailbox = small;
  explicit splitter(word_stage next) : next_(std::move(next)) {}

  troupe::coro<> on(line l) {
    std::string_view rest = l.text;
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(' '), rest.size());
      co_await next_.send(word(rest.substr(0, end)));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    --under_way;
  }
  troupe::coro<std::size_t> on(finish f) { co_return co_await next_.ask(f); }  // behind all lines

 private:
  word_stage next_;
};

/// The slow one.
class counter : public troupe::actor<troupe::protocol<word, finish>> {
 public:
  static constexpr troupe::mailbox_options mailbox = small;

  troupe::coro<> on(word) {
    co_await troupe::sleep(100us);
    ++words_;
  }
  std::size_t on(finish) { return words_; }

 private:
  std::size_t words_ = 0;
};
// [/stages]

troupe::coro<int> amain() {
  constexpr std::size_t lines = 200;
  line_stage stages = troupe::spawn<splitter>(troupe::spawn<counter>());
  std::size_t most = 0;
  for (std::size_t sent = 0; sent < lines; ++sent) {
    co_await stages.send(line("the show must go on"));  // waits while four lines wait already
    most = std::max(most, ++under_way);
  }
  const std::size_t words = co_await stages.ask(finish{}, 10s);
  std::printf("%zu lines went in, %zu words came out\n", lines, words);
  std::printf("at most %zu lines were under way at once\n", most);
  co_return words == lines * 5 && most == 5 ? 0 : 1;  // four in the mailbox and one in hand
}

int main() { return troupe::run_main(amain()); }
