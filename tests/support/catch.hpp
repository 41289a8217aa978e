// Catch2, whichever is installed: 2.13 is one header, 3.x has this one for all of its parts.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
