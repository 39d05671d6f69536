#pragma once

/// Compiles a function once an instruction set and picks the widest one at run time. Results are the same bits on all
/// of them: the build fixes -ffp-contract=off, and vector code rounds as scalar code does. For loops over arrays only.
///
/// Sanitizers cannot start before the run-time choice is made (ifunc), so they get the plain function.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define TRIREME_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), noinline))
#else
#define TRIREME_CLONES
#endif
