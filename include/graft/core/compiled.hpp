#pragma once
// Where the bodies of graft are: in every program that includes it, or compiled once.

// Headers x.hpp declare, x-inl.hpp hold the bodies. Without GRAFT_COMPILED the second is part of the first, and a program needs nothing but
// the headers. With it, a program links the library that compiled the second (CMake: graft::compiled). Bodies of templates end with a list of
// what the library holds of them in each precision, which it defines GRAFT_PRECISION to be.
#if defined(GRAFT_COMPILED)
#define GRAFT_INLINE
#else
#define GRAFT_INLINE inline
#endif
