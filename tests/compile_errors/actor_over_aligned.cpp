// An actor needs more alignment than pooled memory has.
// expect: an actor that needs more than 16-byte alignment
// errors: 1
#include <troupe/troupe.hpp>

struct step {};

class solver : public troupe::actor<troupe::protocol<step>> {
 public:
  void on(step) {}

 private:
  alignas(64) float values_[16];
};

void wrong() { troupe::spawn<solver>(); }
