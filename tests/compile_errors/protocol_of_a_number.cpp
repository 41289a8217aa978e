// A protocol holds something that is no message.
// expect: message_is_no_class_that_can_be_moved<int>
// errors: 1
#include <troupe/troupe.hpp>

class account : public troupe::actor<troupe::protocol<int>> {
 public:
  void on(int) {}
};

void wrong() { troupe::spawn<account>(); }
