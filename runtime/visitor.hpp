#pragma once

namespace troupe {

/// A function of any type that is called with each of several things before the call it was passed to returns. Nothing is kept of
/// it, so it takes no memory, as a `callable` does.
template <class T>
class visitor {
 public:
  template <class Function>
  visitor(const Function& function) noexcept  // NOLINT(*-explicit-*): a lambda is passed
      : function_(&function),
        call_([](const void* given, T& each) { (*static_cast<const Function*>(given))(each); }) {}

  void operator()(T& each) const { call_(function_, each); }

 private:
  const void* function_;
  void (*call_)(const void* function, T& each);
};

}  // namespace troupe
