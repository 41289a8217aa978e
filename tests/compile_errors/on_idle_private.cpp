// on_idle is private, so it could never be called.
// expect: on_idle
// expect(gcc): is private within this context
// expect(clang): is a private member of
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};

class account : public troupe::actor<troupe::protocol<deposit>> {
 public:
  void on(deposit) {}

 private:
  void on_idle() {}
};

void wrong() { troupe::spawn<account>(); }
