// Catch2, whichever is installed: 2.13 is one header, 3.x has this one for all of its parts.
#pragma once

// As <troupe/runtime/testing/catch2.hpp> wants it.
#define CATCH_CONFIG_EXTERNAL_INTERFACES

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
