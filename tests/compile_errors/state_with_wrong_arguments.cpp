// become passes arguments that the state cannot be constructed from.
// expect: state_has_no_constructor_for<closed, const char (&)[4]>
// errors: 1
#include <troupe/troupe.hpp>

struct push {};

class closed;
class door : public troupe::state_machine<door, troupe::protocol<push>, closed> {};
class closed : public door::state {
 public:
  closed() {}
  explicit closed(int) {}
  void on(push) { become<closed>("two"); }
};

void wrong() { troupe::spawn<door>(); }
