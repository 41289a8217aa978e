// What the tests of actors share.
#pragma once

#include <troupe/actors/actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/sleep.hpp>
#include <troupe/runtime/testing/virtual_time.hpp>

#include "support/counted.hpp"
#include "support/journal.hpp"

#include <chrono>
#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace troupe::testing {

using namespace std::chrono_literals;

/// Lets everything run that can run now. Only for runs on virtual time, where time passes when nothing is ready.
inline coro<> settle() { co_await sleep(1ms); }

/// How an answer ended, in words: its value, or the kind and text of its error.
template <class T>
coro<std::string> ending(future<T> answer) {
  try {
    if constexpr (std::is_void_v<T>) {
      co_await answer;
      co_return "answered";
    } else if constexpr (std::integral<T>) {
      const T value = co_await answer;
      co_return std::to_string(value);
    } else {
      T value = co_await answer;
      static_cast<void>(value);
      co_return "answered";
    }
  } catch (const rejected& error) {
    co_return std::string("rejected: ") + error.what();
  } catch (const actor_dead& error) {
    co_return std::string("dead: ") + error.what();
  } catch (const ask_timeout& error) {
    co_return std::string("timeout: ") + error.what();
  } catch (const no_reply& error) {
    co_return std::string("dropped: ") + error.what();
  } catch (const ask_deadlock& error) {
    co_return error.what();
  } catch (const std::exception& error) {
    co_return std::string("error: ") + error.what();
  } catch (const cancelled&) {
    co_return "cancelled";
  }
}

inline bool starts_with(const std::string& text, std::string_view beginning) {
  return text.compare(0, beginning.size(), beginning) == 0;
}

/// Runs `body` on virtual time; failures may be reported, and do not count.
template <class T>
T run_quietly(coro<T> body) {
  failure_log ignored;
  return testing::run(std::move(body), &ignored);
}

/// What `scene` writes into the journal that it is given, on virtual time; failures may be reported, and do not count.
template <class Scene>
journal journal_of(Scene scene) {
  journal into;
  run_quietly(scene(into));
  return into;
}

/// Runs `body` on `loops` loops in real time and fails on any reported failure.
template <class T>
T run_on(std::size_t loops, coro<T> body, failure_handler on_failure = {}) {
  run_options options;
  options.threads = loops;
  options.handle_interrupt = false;
  options.on_failure =
      on_failure ? std::move(on_failure) : failure_handler([](const failure_report& report) {
        const std::string text =
            report.message + (report.error ? ": " + describe(report.error) : std::string());
        fail(text.c_str());
      });
  return troupe::run(std::move(body), std::move(options));
}

}  // namespace troupe::testing
