#pragma once

#include <troupe/runtime/testing/oracle.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace troupe::testing {

/// Thrown out of a run that would only repeat, in another order of independent steps, one that was made already.
struct nothing_new {};

/// Every order, but of those that differ only in the order of independent steps one: dynamic partial-order reduction (Flanagan, Godefroid,
/// "Dynamic partial-order reduction for model checking software", 2005) with sleep sets (Godefroid, 1996), by which each is made once.
///
/// Two steps are independent when they are of different actors or tasks and touch nothing that one of them changes; see
/// `simulation::touch`. Choices that are no orders have all their answers tried.
///
///     exhaustive all;
///     do {
///       simulation world(all);
///       ...                      // one run; `nothing_new` is no failure
///     } while (all.next());
class exhaustive final : public oracle {
 public:
  exhaustive();
  ~exhaustive() override;

  std::size_t choose(const choice& open) override;
  bool asks_who() const noexcept override { return true; }
  bool wants_steps() const noexcept override { return true; }
  void stepped(const std::vector<touch>& touched) override;
  void time_went_on() override;

  /// After a run: whether there is another, which begins anew.
  bool next();
  /// How many runs were made to their end, and how many were given up as `nothing_new`.
  std::size_t orders() const noexcept { return orders_; }
  std::size_t given_up() const noexcept { return given_up_; }

 private:
  struct node;
  struct sleeper {
    std::uint32_t who;
    std::vector<touch> touched;
  };
  using clock =
      std::vector<std::size_t>;  ///< by who: one more than the last step of theirs that came before

  struct readiness {
    std::uint32_t who;
    std::size_t by;
  };

  std::size_t choose_value(const choice& open);
  std::size_t choose_next(const choice& open);
  void note_ready(const std::vector<std::uint32_t>& enabled);
  void begin(node& chosen);
  void find_races(std::size_t step);
  void want_reversed(std::size_t earlier, std::size_t later);

  std::vector<std::unique_ptr<node>> nodes_;  ///< of the run, in their order
  std::size_t depth_ = 0;                     ///< how many of them this run has reached
  std::size_t barrier_ = 0;                   ///< the first node since time went on
  std::size_t last_step_;
  std::vector<readiness> ready_;  ///< who is ready, and since which step
  std::vector<sleeper> sleep_;
  bool pruned_ = false;
  std::size_t orders_ = 0;
  std::size_t given_up_ = 0;
};

}  // namespace troupe::testing
