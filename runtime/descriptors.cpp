#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/internal/poller.hpp>
#include <troupe/runtime/loop.hpp>

#include <map>
#include <memory>
#include <utility>

// What `loop::add_reader` and its like are: the loop tells each descriptor's callbacks as long as it is ready.

namespace troupe {

namespace {

enum class way { reading, writing };

constexpr std::uint32_t events_of(way direction) noexcept {
  return direction == way::reading ? EPOLLIN : EPOLLOUT;
}

class watched_descriptors;

/// One descriptor and its callbacks.
class watched final : public internal::poller::listener {
 public:
  struct side {
    callable<void()> call;
    std::uint64_t number = 0;  ///< which registration it is
    bool asked = false;        ///< its call is on its way
  };

  watched(watched_descriptors& all, loop& home, int descriptor) noexcept
      : all_(all), home_(home), descriptor_(descriptor) {}
  ~watched() { internal::poller_of(home_).remove(descriptor_, *this); }

  side& of(way direction) noexcept { return direction == way::reading ? reading_ : writing_; }
  bool unused() const noexcept { return !reading_.call && !writing_.call; }
  /// Errors: std::system_error.
  void watch() {
    auto& poller = internal::poller_of(home_);
    poller.remove(descriptor_, *this);
    const std::uint32_t wanted = (reading_.call ? EPOLLIN : 0U) | (writing_.call ? EPOLLOUT : 0U);
    if (wanted != 0) poller.add(descriptor_, *this, wanted);
  }

 private:
  void on_events(std::uint32_t events) noexcept override {
    // An error or hang-up is for both to find out.
    if ((events & (EPOLLERR | EPOLLHUP)) != 0) events |= EPOLLIN | EPOLLOUT;
    for (const way direction : {way::reading, way::writing}) {
      if ((events & events_of(direction)) != 0) ask(direction);
    }
  }
  void ask(way direction) noexcept;

  watched_descriptors& all_;
  loop& home_;
  int descriptor_;
  side reading_;
  side writing_;
};

class watched_descriptors final : public loop_service {
 public:
  void begin_shutdown() override {}
  bool finished() const override { return true; }
  std::string unfinished() const override { return {}; }

  void add(loop& home, int descriptor, way direction, callable<void()> call) {
    auto& found = all_[descriptor];
    if (!found) found = std::make_unique<watched>(*this, home, descriptor);
    watched::side& mine = found->of(direction);
    const watched::side before =
        std::exchange(mine, watched::side{std::move(call), ++numbers_, false});
    if (before.call) return;
    try {
      found->watch();
    } catch (...) {
      mine = before;
      if (found->unused()) all_.erase(descriptor);
      throw;
    }
  }

  bool remove(int descriptor, way direction) noexcept {
    const auto found = all_.find(descriptor);
    if (found == all_.end() || !found->second->of(direction).call) return false;
    found->second->of(direction) = {};
    if (found->second->unused()) {
      all_.erase(found);
    } else {
      try {
        found->second->watch();
      } catch (...) {
        all_.erase(found);  // it has been closed: nothing will come of the other way either
      }
    }
    return true;
  }

  /// Makes the call of one registration, if it still stands.
  void call(int descriptor, way direction, std::uint64_t number) {
    const auto found = all_.find(descriptor);
    if (found == all_.end()) return;
    watched::side& mine = found->second->of(direction);
    if (mine.number != number || !mine.call) return;
    mine.asked = false;
    const callable<void()> running = mine.call;  // it may take itself away
    running();
  }

 private:
  std::map<int, std::unique_ptr<watched>> all_;
  std::uint64_t numbers_ = 0;
};

void watched::ask(way direction) noexcept {
  side& mine = of(direction);
  if (!mine.call || std::exchange(mine.asked, true)) return;
  home_.call_soon([&all = all_, descriptor = descriptor_, direction, number = mine.number] {
    all.call(descriptor, direction, number);
  });
}

}  // namespace

void loop::add_reader(int descriptor, callable<void()> reader) {
  expect_open();
  service<watched_descriptors>().add(*this, descriptor, way::reading, std::move(reader));
}

void loop::add_writer(int descriptor, callable<void()> writer) {
  expect_open();
  service<watched_descriptors>().add(*this, descriptor, way::writing, std::move(writer));
}

bool loop::remove_reader(int descriptor) noexcept {
  return !closed() && service<watched_descriptors>().remove(descriptor, way::reading);
}

bool loop::remove_writer(int descriptor) noexcept {
  return !closed() && service<watched_descriptors>().remove(descriptor, way::writing);
}

}  // namespace troupe
