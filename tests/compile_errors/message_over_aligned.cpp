// A message needs more alignment than pooled memory has.
// expect: a message that needs more than 16-byte alignment
// errors: 1
#include <troupe/troupe.hpp>

struct alignas(64) matrix {
  float values[16];
};

void wrong(troupe::actor_ref<troupe::protocol<matrix>> to) { to.tell(matrix{}); }
