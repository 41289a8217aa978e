#pragma once

#include <troupe/actors/tracer.hpp>
#include <troupe/runtime/testing/explore.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::internal {
class early_trace;
}

namespace troupe::testing {

/// What actors did and said, as a chart: a lane for each, an arrow for each message at the moment at which it is handled.
///
///      time       scenario     bank       clerk
///      0.000000s     o--deposit-->|          |
///      0.000000s     |            o--booked->|
///      1.000000s     |            X crashed: std::runtime_error: no money
///
/// As a tracer it may be given to `trace_actors` in any program; `explore` shows one for what has failed, when this header is included.
/// Threads: one at a time.
class sequence_chart final : public tracer, public witness {
 public:
  sequence_chart();
  ~sequence_chart() override;

  void see(const trace_event& happened) noexcept override;
  void opened(loop& home) override;
  std::string story() override { return text(); }

  /// For the terminal: the last `rows` events. Those that led to the end, message by message, are marked with a `*`.
  std::string text(std::size_t rows = 60) const;
  /// A diagram for Mermaid, as in Markdown.
  std::string mermaid() const;
  /// A picture.
  std::string svg() const;

 private:
  struct row {
    trace_event::kind what;
    time_point when;
    std::size_t from;  ///< lanes; 0 is what runs outside of actors
    std::size_t to;
    std::uint64_t message;
    std::uint64_t cause;
    bool ask;
    bool leads_to_end;
    std::string label;
  };
  struct lane {
    std::string name;
    std::uint64_t actor;
  };
  struct under_way {
    std::uint64_t message;
    row sent;
  };

  std::size_t lane_of(std::uint64_t actor, const trace_event& event);
  std::string label_of(const trace_event& event) const;
  std::vector<row> finished() const;

  std::vector<lane> lanes_;
  std::vector<row> rows_;
  std::vector<under_way> sent_;
  std::unique_ptr<troupe::internal::early_trace> trace_;
};

/// Says how messages of type `M` are shown in charts: `shown_as<deposit>([](const deposit& d) { return std::to_string(d.cents); });`
/// Otherwise they are shown by their type's name. Said once, before anything runs; the last one holds.
template <class M>
bool shown_as(std::string (*text)(const M&));

namespace internal {
using shower = std::function<bool(const trace_event&, std::string&)>;
void add_shower(shower added);
inline const bool charts_are_shown =
    add_witness([]() -> std::unique_ptr<witness> { return std::make_unique<sequence_chart>(); });
}  // namespace internal

template <class M>
bool shown_as(std::string (*text)(const M&)) {
  internal::add_shower([text](const trace_event& event, std::string& into) {
    const M* const content = event.content<M>();
    if (content == nullptr) return false;
    into = text(*content);
    return true;
  });
  return true;
}

}  // namespace troupe::testing
