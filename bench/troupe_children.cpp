// The benchmark suite's cases about child processes, on troupe: how fast they are started, and how fast bytes go through one.
#include "harness.hpp"

#include <troupe/io/process.hpp>
#include <troupe/troupe.hpp>

#include <stdexcept>
#include <string>

namespace io = troupe::io;

namespace {

constexpr std::int64_t children_in_all = 500;
constexpr int at_a_time = 32;
constexpr std::int64_t kibibytes = 100 * 1024;

troupe::coro<> start_and_wait(std::int64_t& left) {
  while (left-- > 0) {
    io::process child = co_await io::subprocess_exec("/bin/true");
    if (co_await child.wait() != 0) throw std::runtime_error("/bin/true failed");
  }
}

troupe::coro<double> start_all(std::int64_t count) {
  const bench::stopwatch watch;
  std::int64_t left = count;
  troupe::task_group group;
  auto body = [&]() -> troupe::coro<> {
    for (int each = 0; each < at_a_time; ++each) group.create_task(start_and_wait(left));
    co_return;
  };
  co_await group.run(body);
  co_return watch.nanoseconds();
}

troupe::coro<double> through_cat(std::int64_t count) {
  std::string sent(static_cast<std::size_t>(count) * 1024, 'x');
  const std::size_t size = sent.size();
  const bench::stopwatch watch;
  io::process child = co_await io::subprocess_exec(
      "/bin/cat", {}, {.input = io::stdio::pipe, .output = io::stdio::pipe});
  const io::communicated said = co_await child.communicate(std::move(sent));
  if (said.returncode != 0 || said.output->size() != size) throw std::runtime_error("cat failed");
  co_return watch.nanoseconds();
}

template <auto Case, std::int64_t Count>
double measure(const bench::request& wanted) {
  return bench::per_operation(
      wanted, [](std::int64_t count) { return troupe::run(Case(count)); }, Count, Count);
}

}  // namespace

int main(int argc, char** argv) {
  return bench::main(argc, argv,
                     {{"children", "troupe", 1, "ns", measure<start_all, children_in_all>},
                      {"communicate", "troupe", 1, "ns", measure<through_cat, kibibytes>}});
}
