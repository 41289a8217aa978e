#include <troupe/io/memory.hpp>

#include <troupe/io/internal/write_queue.hpp>
#include <troupe/runtime/loop.hpp>

#include <algorithm>
#include <cstring>

namespace troupe::io {

namespace {

/// One direction, and both its ends.
struct pipeline {
  internal::write_queue queue;
  bool ended = false;  ///< nothing more is written
  bool reset = false;  ///< one of the ends has given up
};

/// What both transports know.
struct link {
  std::size_t capacity = 0;
  pipeline way[2];
  transport::listener* told[2] = {};
  loop* home[2] = {};
  bool notice_under_way[2] = {};
  bool closed[2] = {};
};

class memory_transport final : public transport {
 public:
  memory_transport(std::shared_ptr<link> of, int side) noexcept
      : link_(std::move(of)), side_(side) {}
  ~memory_transport() override { close(true); }

  void attach(listener& told) override {
    link_->told[side_] = &told;
    link_->home[side_] = loop::current();
    notice(side_);
  }

  transfer read(std::span<std::byte> into) noexcept override {
    pipeline& way = link_->way[other()];
    if (way.reset) return {0, std::make_error_code(std::errc::connection_reset)};
    std::size_t got = 0;
    const internal::write_queue::parts parts = way.queue.front();
    for (std::size_t index = 0; index != parts.count && got != into.size(); ++index) {
      const std::size_t part = std::min(parts.all[index].size(), into.size() - got);
      std::memcpy(into.data() + got, parts.all[index].data(), part);
      got += part;
    }
    if (got == 0) return way.ended ? transfer{} : transfer::none_now();
    way.queue.sent(got);
    notice(other());
    return {got, {}};
  }

  transfer write(std::span<const std::span<const std::byte>> parts) noexcept override {
    pipeline& way = link_->way[side_];
    if (way.reset || link_->closed[other()])
      return {0, std::make_error_code(std::errc::broken_pipe)};
    std::size_t taken = 0;
    for (const std::span<const std::byte> part : parts) {
      const std::size_t room =
          std::min(part.size(), link_->capacity - std::min(link_->capacity, way.queue.size()));
      way.queue.push(part.data(), room);
      taken += room;
      if (room != part.size()) break;
    }
    if (taken == 0) return transfer::none_now();
    notice(other());
    return {taken, {}};
  }

  outlook look() const noexcept override {
    const pipeline& way = link_->way[other()];
    return {!way.queue.empty() || way.ended, way.ended || way.reset, way.reset};
  }
  std::error_code failure() noexcept override {
    return link_->way[other()].reset ? std::make_error_code(std::errc::connection_reset)
                                     : std::error_code();
  }
  std::error_code end_writing() noexcept override {
    link_->way[side_].ended = true;
    notice(other());
    return {};
  }

  void close(bool reset) noexcept override {
    if (std::exchange(link_->closed[side_], true)) return;
    link_->told[side_] = nullptr;
    link_->way[side_].ended = true;
    // Unread bytes at the end of a socket reset its peer too.
    if (reset) link_->way[side_].reset = true;
    link_->way[other()].reset = true;
    notice(other());
  }

  std::string local_name() const override { return "memory"; }
  std::string peer_name() const override { return "memory"; }

 private:
  int other() const noexcept { return 1 - side_; }
  /// Tells that side soon, outside of any task.
  void notice(int side) noexcept {
    link& all = *link_;
    if (all.told[side] == nullptr || std::exchange(all.notice_under_way[side], true)) return;
    all.home[side]->call_soon([link = link_, side] {
      link->notice_under_way[side] = false;
      if (transport::listener* const told = link->told[side]) told->on_ready();
    });
  }

  std::shared_ptr<link> link_;
  int side_;
};

}  // namespace

std::pair<std::unique_ptr<transport>, std::unique_ptr<transport>> memory_transports(
    std::size_t capacity) {
  const auto shared = std::make_shared<link>();
  shared->capacity = std::max<std::size_t>(capacity, 1);
  return {std::make_unique<memory_transport>(shared, 0),
          std::make_unique<memory_transport>(shared, 1)};
}

std::pair<stream, stream> memory_pair(std::size_t capacity, const stream_options& options) {
  auto ends = memory_transports(capacity);
  return {stream(std::move(ends.first), options), stream(std::move(ends.second), options)};
}

}  // namespace troupe::io
