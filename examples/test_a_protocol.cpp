// Two-phase commit with a bug that few orders of events show: it is found, simplified, drawn, and gone once it is mended.
// Run: test_a_protocol        Prints: the failing run as a chart, and how many orders the mended one has stood
#include <troupe/actors/testing/sequence_chart.hpp>
#include <troupe/runtime/testing/explore.hpp>
#include <troupe/troupe.hpp>

#include <cstdio>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

struct vote {
  int transaction;
  bool yes;
};
struct begin {
  using reply = bool;  // whether it was committed
  int transaction;
};
using coordinator_protocol = troupe::protocol<begin, vote>;

struct prepare {
  int transaction;
  troupe::actor_ref<coordinator_protocol> to;
};
struct decide {
  int transaction;
  bool commit;
};
using participant_protocol = troupe::protocol<prepare, decide>;

const bool shown =
    troupe::testing::shown_as<vote>(
        [](const vote& v) { return std::to_string(v.transaction) + (v.yes ? ": yes" : ": no"); }) &&
    troupe::testing::shown_as<decide>([](const decide& d) {
      return std::to_string(d.transaction) + (d.commit ? ": commit" : ": abort");
    }) &&
    troupe::testing::shown_as<begin>([](const begin& b) { return std::to_string(b.transaction); });

/// What has become of each transaction, at each participant. Nobody may commit what another has refused.
struct outcomes {
  std::set<int> refused;
  std::set<int> committed;
  void check() const {
    for (const int each : committed) {
      if (refused.contains(each))
        throw std::runtime_error("transaction " + std::to_string(each) +
                                 " was committed, and a participant had refused it");
    }
  }
};

class participant : public troupe::actor<participant_protocol> {
 public:
  participant(outcomes& all, int refuses) : all_(all), refuses_(refuses) {}
  void on(prepare asked) {
    const bool yes = asked.transaction != refuses_;
    if (!yes) all_.refused.insert(asked.transaction);
    asked.to.tell(vote{asked.transaction, yes});
  }
  void on(decide decided) {
    if (decided.commit) all_.committed.insert(decided.transaction);
  }

 private:
  outcomes& all_;
  int refuses_;
};

/// Asks all to prepare; commits when all have said yes, aborts with the first no.
class coordinator : public troupe::actor<coordinator_protocol> {
 public:
  coordinator(std::vector<troupe::actor_ref<participant_protocol>> all, bool mended)
      : all_(std::move(all)), mended_(mended) {}

  void on(begin wanted, troupe::reply_to<bool> client) {
    transaction_ = wanted.transaction;
    client_ = std::move(client);
    yes_ = 0;
    for (const auto& each : all_) each.tell(prepare{transaction_, self()});
  }
  void on(vote cast) {
    // Without this the votes that come after an abort are counted for the next transaction.
    if (mended_ && cast.transaction != transaction_) return;
    if (transaction_ == 0) return;
    if (!cast.yes) return end(false);
    if (++yes_ == all_.size()) end(true);
  }

 private:
  void end(bool commit) {
    for (const auto& each : all_) each.tell(decide{transaction_, commit});
    transaction_ = 0;
    client_.answer(commit);
  }
  std::vector<troupe::actor_ref<participant_protocol>> all_;
  bool mended_;
  int transaction_ = 0;
  std::size_t yes_ = 0;
  troupe::reply_to<bool> client_;
};

// [scenario]
troupe::coro<> two_transactions(bool mended) {
  outcomes all;
  std::vector<troupe::actor_ref<participant_protocol>> participants;
  for (const int refuses : {1, 0, 2})  // the first refuses transaction 1, the last transaction 2
    participants.push_back(troupe::spawn<participant>(std::ref(all), refuses));
  auto boss = troupe::spawn<coordinator>(participants, mended);
  co_await boss.ask(begin{1});
  co_await boss.ask(begin{2});
  co_await troupe::sleep(1s);  // until nothing is under way any more
  all.check();
}

int main() {
  using troupe::testing::explore;
  try {
    explore({.schedules = 10'000}, [] { return two_transactions(false); });
    std::puts("the bug was not found");
    return 1;
  } catch (const troupe::testing::schedule_failed& found) {
    std::puts(found.what());
    std::filesystem::remove(found.about().file);
  }
  const auto stood = explore({.schedules = 10'000}, [] { return two_transactions(true); });
  std::printf("mended: %zu schedules, %llu steps, nothing found\n", stood.schedules,
              static_cast<unsigned long long>(stood.steps));
  return 0;
}
// [/scenario]
