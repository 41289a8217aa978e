// The queue of messages that is a mailbox: their order, and the mark of the newest.
#include <troupe/actors/cell.hpp>
#include <troupe/actors/message_queue.hpp>

#include "support/catch.hpp"

#include <string>

using namespace troupe;

namespace {

struct note {
  std::string text;
};

}  // namespace

TEST_CASE("a mailbox gives messages in the order they came") {
  using sent = internal::envelope_of<note>;
  internal::message_queue box;
  CHECK(box.empty());
  CHECK(box.pop() == nullptr);
  sent first(note{"1"});
  sent second(note{"2"});
  box.push(first);
  box.push(second);
  CHECK(box.length(10) == 2);
  CHECK(box.length(1) == 1);
  CHECK(box.pop() == &first);
  box.push(first);
  CHECK(box.pop() == &second);
  CHECK(box.pop() == &first);
  CHECK(box.empty());
  first.destroy_message();
  second.destroy_message();
}

TEST_CASE("the mark of a mailbox recognises the message that was the newest") {
  using sent = internal::envelope_of<note>;
  internal::message_queue box;
  sent first(note{"1"});
  sent second(note{"2"});
  box.push(first);
  work** const mark = box.mark();
  box.push(second);
  CHECK(internal::message_queue::is_mark(*box.pop(), mark));
  CHECK(!internal::message_queue::is_mark(*box.pop(), mark));
  first.destroy_message();
  second.destroy_message();
}
