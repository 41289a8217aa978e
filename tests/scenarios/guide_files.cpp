// What the guide to io says of files and foreign descriptors, compiled and run.
#include <troupe/io/fd_watch.hpp>
#include <troupe/io/file.hpp>
#include <troupe/io/file_system.hpp>
#include <troupe/io/memory.hpp>
#include <troupe/io/send_file.hpp>
#include <troupe/runtime/task.hpp>

#include "scenarios/support.hpp"

#include <map>
#include <string>

using namespace troupe;
using namespace troupe::testing;

namespace {

coro<> keep_a_diary(std::string path) {
  // [file]
  io::file diary = co_await io::open_file(path, io::to_append);
  co_await diary.write("a good day\n");
  co_await diary.flush();  // on the disk
  co_await diary.close();  // says so when the system could not keep what was written

  const io::bytes all = co_await io::read_file(path, 1 << 20);  // no more than a megabyte
  co_await io::write_file_atomically(path + ".best", all.text().substr(0, 10));
  // [/file]
  CHECK(all.text() == "a good day\n");
}

coro<> look_around(std::string where) {
  // [directory]
  const io::temporary scratch = co_await io::temporary_directory(where);  // goes with this object
  co_await io::make_directories(scratch.path() + "/letters/old");
  io::directory letters = co_await io::open_directory(scratch.path() + "/letters");
  for (auto some = co_await letters.next(100); !some.empty(); some = co_await letters.next(100)) {
    for (const io::directory_entry& each : some) {
      if (each.kind == io::file_kind::directory)
        co_await io::remove_tree(scratch.path() + "/letters/" + each.name);
    }
  }
  // [/directory]
}

coro<std::uint64_t> answer_with(io::stream& client, std::string path) {
  // [send_file]
  io::file page = co_await io::open_file(path);
  const std::uint64_t size = co_await page.size();
  client.write("HTTP/1.1 200 OK\r\ncontent-length: " + std::to_string(size) + "\r\n\r\n");
  const std::uint64_t sent = co_await io::send_file(client, page, 0, size);
  // [/send_file]
  co_return sent;
}

// What curl's multi interface is like, as far as sockets are concerned.
using CURL = void;
using curl_socket_t = int;
constexpr int CURL_POLL_IN = 1, CURL_POLL_OUT = 2, CURL_POLL_REMOVE = 4;
constexpr int CURL_CSELECT_IN = 1, CURL_CSELECT_OUT = 2, CURL_CSELECT_ERR = 4;
struct CURLM {
  int acted = 0;
};
void curl_multi_socket_action(CURLM* multi, curl_socket_t, int events, int* running) {
  multi->acted |= events;
  *running = 0;
}

// [curl]
/// Behind CURLMOPT_SOCKETDATA; `on_socket` is the CURLMOPT_SOCKETFUNCTION. curl's timer is a `loop::call_later`.
struct curl_sockets {
  CURLM* multi;
  std::map<curl_socket_t, io::fd_watch> watches;

  static int on_socket(CURL*, curl_socket_t socket, int what, void* user, void*) {
    auto& self = *static_cast<curl_sockets*>(user);
    if (what == CURL_POLL_REMOVE) {
      self.watches.erase(socket);  // curl closes it only after this
      return 0;
    }
    auto& watch = self.watches.try_emplace(socket, socket).first->second;
    watch.call_on({.readable = (what & CURL_POLL_IN) != 0, .writable = (what & CURL_POLL_OUT) != 0},
                  [multi = self.multi, socket](io::fd_events ready) {
                    int running = 0;
                    curl_multi_socket_action(multi, socket,
                                             (ready.readable ? CURL_CSELECT_IN : 0) |
                                                 (ready.writable ? CURL_CSELECT_OUT : 0) |
                                                 (ready.failed ? CURL_CSELECT_ERR : 0),
                                             &running);
                  });
    return 0;
  }
};
// [/curl]

}  // namespace

TEST_CASE("the guide's files are written, listed and sent") {
  auto body = []() -> coro<> {
    const io::temporary place = co_await io::temporary_directory();
    co_await keep_a_diary(place.path() + "/diary");
    const io::bytes best = co_await io::read_file(place.path() + "/diary.best");
    CHECK(best.text() == "a good day");
    co_await look_around(place.path());
    auto ends = io::memory_pair();
    const std::uint64_t sent = co_await answer_with(ends.first, place.path() + "/diary");
    CHECK(sent == 11);
    ends.first.close();
    const io::bytes answer = co_await ends.second.read_all();
    CHECK(answer.text().ends_with("content-length: 11\r\n\r\na good day\n"));
  };
  run_scenario(body());
}

TEST_CASE("the guide's watches of curl's sockets tell curl what they are ready for") {
  auto body = []() -> coro<> {
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, both) == 0);
    const io::descriptor ours(both[0]);
    const io::descriptor theirs(both[1]);
    CURLM multi;
    curl_sockets sockets{&multi, {}};
    curl_sockets::on_socket(nullptr, ours.get(), CURL_POLL_OUT, &sockets, nullptr);
    co_await poll_until([&] { return multi.acted == CURL_CSELECT_OUT; });
    curl_sockets::on_socket(nullptr, ours.get(), CURL_POLL_IN, &sockets, nullptr);
    REQUIRE(::write(theirs.get(), "x", 1) == 1);
    co_await poll_until([&] { return (multi.acted & CURL_CSELECT_IN) != 0; });
    curl_sockets::on_socket(nullptr, ours.get(), CURL_POLL_REMOVE, &sockets, nullptr);
    CHECK(sockets.watches.empty());
  };
  run_scenario(body());
}
