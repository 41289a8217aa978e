// Test cases that are run under a hundred orders of events: TROUPE_TEST_CASE and TROUPE_PROGRAM_TEST_CASE.
#pragma once

#include "support/catch.hpp"

#include <troupe/runtime/testing/catch2.hpp>
