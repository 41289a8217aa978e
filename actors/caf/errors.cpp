#include <troupe/actors/caf/errors.hpp>

#include <troupe/runtime/errors.hpp>
#include <troupe/runtime/failure.hpp>

#include <caf/exit_reason.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

#include <utility>

namespace troupe {

namespace {

constexpr ::caf::atom_value system_category = ::caf::atom("system");
constexpr ::caf::atom_value exit_category = ::caf::atom("exit");

::caf::error with_text(::caf::atom_value category, std::uint8_t code, std::string text) {
  return ::caf::error(code, category, ::caf::make_message(std::move(text)));
}
::caf::error refusal(caf_refusal what, const char* text) {
  return with_text(internal::caf_category, static_cast<std::uint8_t>(what), text);
}
::caf::error failure(::caf::sec what, const std::string& text) {
  return with_text(system_category, static_cast<std::uint8_t>(what), text);
}

/// What it was said with, if that is a text.
std::string context_text(const ::caf::error& error) {
  const ::caf::message& context = error.context();
  if (context.size() == 1 && context.match_element<std::string>(0))
    return context.get_as<std::string>(0);
  return internal::text_of(error);
}

bool is(const ::caf::error& error, ::caf::sec what) {
  return error.compare(static_cast<std::uint8_t>(what), system_category) == 0;
}

}  // namespace

caf_error::caf_error(::caf::error given)
    : rejected(internal::text_of(given)), error_(std::move(given)) {}

std::string to_string(caf_refusal what) {
  switch (what) {
    case caf_refusal::rejected:
      return "rejected";
    case caf_refusal::mailbox_full:
      return "mailbox_full";
    case caf_refusal::no_reply:
      return "no_reply";
    case caf_refusal::deadlock:
      return "deadlock";
  }
  return "unknown";
}

::caf::error make_error(caf_refusal what) {
  return ::caf::error(static_cast<std::uint8_t>(what), internal::caf_category);
}

namespace internal {

std::string text_of(const ::caf::error& error) {
  if (!error) return "no error";
  if (error.category() != caf_category) return ::caf::to_string(error);
  std::string text = to_string(static_cast<caf_refusal>(error.code()));
  const ::caf::message& context = error.context();
  if (context.size() == 1 && context.match_element<std::string>(0))
    text += ": " + context.get_as<std::string>(0);
  return text;
}

::caf::error to_caf_error(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const caf_error& thrown) {
    return thrown.error();
  } catch (const rejected& thrown) {
    return refusal(caf_refusal::rejected, thrown.what());
  } catch (const actor_dead& thrown) {
    return failure(::caf::sec::request_receiver_down, thrown.what());
  } catch (const mailbox_full& thrown) {
    return refusal(caf_refusal::mailbox_full, thrown.what());
  } catch (const no_reply& thrown) {
    return refusal(caf_refusal::no_reply, thrown.what());
  } catch (const ask_deadlock& thrown) {
    return refusal(caf_refusal::deadlock, thrown.what());
  } catch (const timeout_error& thrown) {
    return failure(::caf::sec::request_timeout, thrown.what());
  } catch (...) {
    return failure(::caf::sec::runtime_error, describe(error));
  }
}

std::exception_ptr from_caf_error(const ::caf::error& error, const std::string& about) {
  if (is(error, ::caf::sec::request_receiver_down) || (error && error.category() == exit_category))
    return std::make_exception_ptr(actor_dead(about + ", which has ended: " + text_of(error)));
  if (is(error, ::caf::sec::request_timeout))
    return std::make_exception_ptr(ask_timeout(about + ", which got no answer in time"));
  if (error && error.category() == caf_category) {
    const std::string text = context_text(error);
    switch (static_cast<caf_refusal>(error.code())) {
      case caf_refusal::rejected:
        return std::make_exception_ptr(rejected(text));
      case caf_refusal::mailbox_full:
        return std::make_exception_ptr(mailbox_full(text));
      case caf_refusal::no_reply:
        return std::make_exception_ptr(no_reply(text));
      case caf_refusal::deadlock:
        return std::make_exception_ptr(ask_deadlock(text));
    }
  }
  return std::make_exception_ptr(caf_error(error));
}

::caf::error to_caf_reason(const exit_reason& why) {
  switch (why.what()) {
    case exit_reason::kind::stopped:
    case exit_reason::kind::parent:
      return {};
    case exit_reason::kind::shutdown:
      return ::caf::exit_reason::user_shutdown;
    case exit_reason::kind::killed:
      return ::caf::exit_reason::kill;
    case exit_reason::kind::crashed:
      break;
  }
  return why.error() != nullptr ? to_caf_error(why.error())
                                : ::caf::make_error(::caf::exit_reason::unhandled_exception);
}

exit_reason from_caf_reason(const ::caf::error& why) {
  using kind = exit_reason::kind;
  if (!why) return exit_reason(kind::stopped);
  if (why.category() == exit_category) {
    switch (static_cast<::caf::exit_reason>(why.code())) {
      case ::caf::exit_reason::normal:
      case ::caf::exit_reason::user_shutdown:
      case ::caf::exit_reason::unreachable:
        return exit_reason(kind::stopped);
      case ::caf::exit_reason::kill:
        return exit_reason(kind::killed);
      default:
        break;
    }
  }
  return exit_reason(kind::crashed, std::make_exception_ptr(caf_error(why)));
}

}  // namespace internal
}  // namespace troupe
