// The constructor of an actor does not take the arguments.
// expect: actor_has_no_constructor_for<account, int>
// errors: 1
#include <troupe/troupe.hpp>

struct deposit {
  int cents;
};

class account : public troupe::actor<troupe::protocol<deposit>> {
 public:
  explicit account(int& total) : total_(total) {}
  void on(deposit d) { total_ += d.cents; }

 private:
  int& total_;
};

void wrong() { troupe::spawn<account>(5); }
