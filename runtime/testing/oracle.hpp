#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace troupe::testing {

/// Something that a simulation leaves open.
struct choice {
  enum class kind : std::uint8_t {
    next,   ///< which of the works that are ready is next
    time,   ///< whether time goes on although something is ready
    fault,  ///< whether something goes wrong
    value,  ///< a number that the program asks for
  };
  kind what;
  std::size_t count;  ///< how many answers there are, two at least
  const std::uint32_t* who =
      nullptr;  ///< for `next`: the numbers of those who wait, the oldest first
};

/// That a step touched something, and whether it changed it. What it was has a number that is the same in each run that begins alike.
struct touch {
  std::uint64_t what;
  bool changes;
};

/// Who makes every choice of a simulation. Answer 0 is always the one that a loop alone would give: the oldest, no fault, no delay.
class oracle {
 public:
  oracle() = default;
  oracle(const oracle&) = delete;
  oracle& operator=(const oracle&) = delete;
  virtual ~oracle() = default;
  virtual std::size_t choose(const choice& open) = 0;
  /// Whether it wants to know who waits.
  virtual bool asks_who() const noexcept { return false; }
  /// Whether it wants to choose also where there is one answer, and to be told what each step touched.
  virtual bool wants_steps() const noexcept { return false; }
  virtual void stepped([[maybe_unused]] const std::vector<touch>& touched) {}
  /// Nothing was ready, and time went on: what comes now cannot come before what has been.
  virtual void time_went_on() {}
};

/// Numbers that are the same everywhere for the same seed. SplitMix64, by Sebastiano Vigna (public domain).
class seeded {
 public:
  explicit seeded(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  /// Less than `count`, which is not zero; by multiplication and not by a distribution of the library's, which differ.
  std::size_t below(std::size_t count) noexcept {
    return static_cast<std::size_t>(((next() >> 32) * static_cast<std::uint64_t>(count)) >> 32);
  }

 private:
  std::uint64_t state_;
};

/// The order in which a loop alone would do it.
class first_come final : public oracle {
 public:
  std::size_t choose(const choice&) override { return 0; }
};

/// Each answer as likely as the others; a fault or a delay one time in `rarity`.
class random_walk final : public oracle {
 public:
  explicit random_walk(std::uint64_t seed, std::size_t rarity = 16) noexcept
      : random_(seed), rarity_(rarity) {}
  std::size_t choose(const choice& open) override;

 private:
  seeded random_;
  std::size_t rarity_;
};

/// Those who wait have priorities, at random, and the first goes on until it waits; at `depth` - 1 moments within the first `steps` choices
/// the one that runs becomes the last. Finds a bug that takes `depth` orders between steps with a probability that is known: Burckhardt,
/// Kothari, Musuvathi, Nagarakatte, "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (2010). After `fair_after`
/// steps those who wait take turns, so that one who waits by asking again and again comes to its end.
class by_priority final : public oracle {
 public:
  by_priority(std::uint64_t seed, std::size_t depth, std::size_t steps, std::size_t rarity = 16);
  std::size_t choose(const choice& open) override;
  bool asks_who() const noexcept override { return true; }

 private:
  seeded random_;
  std::size_t rarity_;
  std::size_t fair_after_;
  std::size_t step_ = 0;
  std::uint64_t last_ = 0;            ///< the priority of who became the last
  std::vector<std::size_t> changes_;  ///< steps, the first one last
  std::unordered_map<std::uint32_t, std::uint64_t> priorities_;
};

/// The natural order but for `count` choices out of the first `steps`, which are at random: each holds back one whose turn it was. Most bugs
/// take one such departure or two: Emmi, Qadeer, Rakamaric, "Delay-Bounded Scheduling" (2011).
class few_departures final : public oracle {
 public:
  few_departures(std::uint64_t seed, std::size_t count, std::size_t steps);
  std::size_t choose(const choice& open) override;

 private:
  seeded random_;
  std::size_t step_ = 0;
  std::vector<std::size_t> departures_;  ///< steps, the first one last
};

/// Each step that waits to be done has a priority of its own, at random, and draws another when one has been done that it depends on. So every
/// order of the steps that depend on each other has much the same chance, however many others there are: Yuan, Yang, Gu, "Partial Order Aware
/// Concurrency Sampling" (2018).
class partial_order_sampling final : public oracle {
 public:
  explicit partial_order_sampling(std::uint64_t seed, std::size_t rarity = 16) noexcept
      : random_(seed), rarity_(rarity) {}
  std::size_t choose(const choice& open) override;
  bool asks_who() const noexcept override { return true; }
  bool wants_steps() const noexcept override { return true; }
  void stepped(const std::vector<touch>& touched) override;

 private:
  seeded random_;
  std::size_t rarity_;
  std::unordered_map<std::uint64_t, std::uint64_t> priorities_;
};

/// The answers that were given once; 0 when there are no more.
class replay final : public oracle {
 public:
  explicit replay(std::vector<std::uint32_t> answers) noexcept : answers_(std::move(answers)) {}
  std::size_t choose(const choice& open) override {
    if (next_ == answers_.size()) return 0;
    const std::size_t answer = answers_[next_++];
    return answer < open.count ? answer : open.count - 1;
  }

 private:
  std::vector<std::uint32_t> answers_;
  std::size_t next_ = 0;
};

}  // namespace troupe::testing
