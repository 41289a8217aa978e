// The contract of streams over the standard streams of a child that passes on what it gets.
#include <troupe/io/pipe.hpp>
#include <troupe/io/process.hpp>
#include <troupe/runtime/to_thread.hpp>

#include "io/stream_contract.hpp"
#include "scenarios/children.hpp"
#include "scenarios/scratch.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace troupe;
using namespace troupe::testing;
using troupe::testing::streams::contract;
using troupe::testing::streams::ends;

namespace {

/// Reads from one transport and writes to another.
class two_ways final : public io::transport {
 public:
  two_ways(std::unique_ptr<io::transport> in, std::unique_ptr<io::transport> out) noexcept
      : in_(std::move(in)), out_(std::move(out)) {}

  void attach(io::transport::listener& told) override {
    in_->attach(told);
    out_->attach(told);
  }
  io::transfer read(std::span<std::byte> into) noexcept override { return in_->read(into); }
  io::transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    return out_->write(parts);
  }
  std::error_code end_writing() noexcept override { return out_->end_writing(); }
  bool finish() noexcept override { return out_->finish(); }
  void close(bool reset) noexcept override {
    in_->close(reset);
    out_->close(reset);
  }
  std::string local_name() const override { return out_->local_name(); }
  std::string peer_name() const override { return in_->peer_name(); }

 private:
  std::unique_ptr<io::transport> in_;
  std::unique_ptr<io::transport> out_;
};

io::descriptor open_when_opened_there(const std::string& path, int how) {
  io::descriptor made(::open(path.c_str(), how | O_CLOEXEC));
  REQUIRE(made);
  return made;
}

/// The children of one contract: they have to live as long as their streams.
std::vector<io::process>& children() {
  static std::vector<io::process> all;
  return all;
}

/// A shell with two `cat`, one for each way, between its standard streams and named pipes. What a shell starts in the background has
/// its standard input taken away, hence 3.
coro<ends> over_a_child(io::stream_options options) {
  const scratch_folder folder;
  const std::string there = folder.file("there");
  const std::string back = folder.file("back");
  REQUIRE(::mkfifo(there.c_str(), 0600) == 0);
  REQUIRE(::mkfifo(back.c_str(), 0600) == 0);
  io::process child = co_await io::subprocess_shell(
      "exec 3<&0; cat <&3 3<&- >'" + there + "' & exec cat <'" + back + "' 3<&-",
      {.input = io::stdio::pipe, .output = io::stdio::pipe, .streams = options});
  io::descriptor from = co_await to_thread(open_when_opened_there, there, O_RDONLY);
  io::descriptor to = co_await to_thread(open_when_opened_there, back, O_WRONLY);
  io::stream second = io::make_stream(std::move(from), std::move(to), options);
  io::stream::pieces out = child.input().take_apart();
  io::stream::pieces in = child.output().take_apart();
  in.wire = std::make_unique<two_ways>(std::move(in.wire), std::move(out.wire));
  io::stream first(std::move(in));
  children().push_back(std::move(child));
  co_return ends(std::move(first), std::move(second));
}

coro<> contract_with_children() {
  co_await contract(over_a_child, {.resets = false});
  for (io::process& each : children()) co_await each.stop();
  children().clear();
}

}  // namespace

TEST_CASE("the contract of streams holds over the standard streams of a child") {
  run_with_children(contract_with_children());
}

TEST_CASE("a pipe through which much goes is made larger, where the system lets us") {
  struct scene {
    static coro<> run() {
      io::process child =
          co_await io::subprocess_exec("head", io::args("-c", "3000000", "/dev/zero"), reading);
      io::stream& from = child.output();
      const int before = ::fcntl(from.native(), F_GETPIPE_SZ);
      co_await from.read_exactly(2'500'000);
      const int after = ::fcntl(from.native(), F_GETPIPE_SZ);
      // Refused to a user with too many such pipes.
      const bool refused = ::fcntl(from.native(), F_SETPIPE_SZ, 4 * before) < 0;
      CHECK((after == 4 * before || refused));
      co_await from.read_all();
      const int returncode = co_await child.wait();
      CHECK(returncode == 0);
    }
  };
  run_with_children(scene::run());
}
