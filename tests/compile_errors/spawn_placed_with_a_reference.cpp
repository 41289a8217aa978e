// The constructor of an actor does not take copies of the arguments, which is what it gets when it is placed.
// expect: actor_has_no_constructor_for_copies_of<account, int>
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

void wrong(int& total) { troupe::spawn<account>(troupe::place::on(1), total); }
