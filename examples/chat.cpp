// A chat over TCP: an actor for each room, one for each connection. Sam does not read: he is dropped, and the others notice nothing.
// Run: chat        Prints: what Ann hears, and that somebody is dropped
#include <troupe/io/tcp.hpp>
#include <troupe/troupe.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

namespace io = troupe::io;

struct line {
  std::string text;
};
using line_taker = troupe::actor_ref<troupe::protocol<line>>;
struct join {
  line_taker who;
  std::string name;
};
using room_protocol = troupe::protocol<join, line, troupe::down>;

class room : public troupe::actor<room_protocol> {
 public:
  void on(join j) {
    monitor(j.who);
    guests_.push_back(j);
    on(line{"* " + j.name + " is here"});
  }
  void on(line said) {
    for (const join& each : guests_) each.who.tell(said);
  }
  void on(troupe::down d) {  // a connection has ended, whatever the reason
    const auto gone = std::ranges::find_if(guests_, [&](auto& each) { return d.who == each.who; });
    const line last{"* " + gone->name + " has left"};
    guests_.erase(gone);
    on(last);
  }

 private:
  std::vector<join> guests_;
};

/// A connection as lines: what it is told is written, what it reads is told its owner, who ends with it.
using line_protocol = troupe::protocol<line, io::data, io::end_of_data, io::drained, io::closed>;
class line_connection : public troupe::actor<line_protocol> {
 public:
  line_connection(io::socket connected, line_taker owner, std::size_t credit)
      : owner_(std::move(owner)), bytes_(spawn<io::tcp_connection>(std::move(connected), self())) {
    bytes_.tell(io::demand{credit});
  }
  // Told, not asked: if it exceeds the window, because the other end does not read, the connection ends.
  void on(line l) { bytes_.tell(io::write(io::bytes(l.text + '\n'))); }
  void on(io::data d) {
    text_ += d.chunk.text();
    for (std::size_t end; (end = text_.find('\n')) != text_.npos; text_.erase(0, end + 1))
      owner_.tell(line{text_.substr(0, end)});
    bytes_.tell(io::demand{d.chunk.size()});
  }
  void on(io::end_of_data) { bytes_.tell(io::close{}); }
  void on(io::drained) {}
  void on(io::closed c) {
    if (c.reason == std::errc::no_buffer_space) std::puts("somebody does not read, and is dropped");
    owner_.kill();  // unless it has come to its end before
  }

 private:
  line_taker owner_;
  troupe::actor_ref<io::connection> bytes_;
  std::string text_;
};

/// The server's side of a guest, whose first line is the name, and the second one the room.
troupe::coro<> session(troupe::mailbox<line>& inbox, io::socket connected) {
  auto connection = inbox.spawn<line_connection>(std::move(connected), inbox.self(), 64u << 10);
  const line name = co_await inbox.receive();
  const line where = co_await inbox.receive();
  auto place = troupe::whereis<room_protocol>(where.text);
  if (!place) troupe::register_name(where.text, place = troupe::spawn<room>());
  place.tell(join{connection, name.text});
  for (;;) {
    const line said = co_await inbox.receive();
    place.tell(line{name.text + ": " + said.text});
  }
}

troupe::coro<> serve(troupe::mailbox<io::accepted>& inbox, io::listening_socket listening) {
  inbox.spawn<io::tcp_listener>(std::move(listening), inbox.self());
  for (;;) {
    io::accepted next = co_await inbox.receive();
    inbox.spawn(session, std::move(next.connected));
  }
}

troupe::coro<> guest(troupe::mailbox<line>& inbox, io::endpoint server, std::string name) {
  io::socket connected = co_await io::connect(server);
  const std::size_t credit = name == "Sam" ? 0 : 64 << 10;  // Sam reads nothing
  auto me = inbox.spawn<line_connection>(std::move(connected), inbox.self(), credit);
  me.tell(line{name + "\ntea\nhello"});
  for (line heard; heard.text != "* Sam has left";) {
    heard = co_await inbox.receive();
    if (name != "Ann") continue;
    const bool is_long = heard.text.size() > 100;
    if (!is_long) std::printf("Ann hears %s\n", heard.text.c_str());
    if (heard.text == "Ann: hello") inbox.spawn(guest, server, "Bob");
    if (heard.text == "Bob: hello") inbox.spawn(guest, server, "Sam");
    if (heard.text == "Sam: hello" || is_long) me.tell(line{std::string(64 << 10, 'x')});
  }
}

troupe::coro<int> amain() {
  io::listening_socket listening(io::endpoint::loopback(0));
  auto ann = troupe::spawn(guest, listening.local(), "Ann");
  troupe::spawn(serve, std::move(listening));
  const troupe::exit_reason end = co_await ann.stopped();
  co_return end.failed() ? 1 : 0;
}

int main() { return troupe::run_main(amain()); }
