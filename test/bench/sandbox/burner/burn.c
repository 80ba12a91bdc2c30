/*
 * Work that only computes, the same in a container and beside it. Lines on standard input:
 *   self   writes this program's own file to standard output, and ends
 *   burn N answers a line "wall cpu sum": nanoseconds that N rounds took, and what they came to
 * End of input ends it. It says "ready" first.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* More than a core's own caches hold, so that memory counts too. */
enum { WORDS = 1 << 20 };
static uint64_t memory[WORDS];

static int64_t now(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* Integers (xorshift64*, Vigna 2016), floating point, and memory in no order. */
static uint64_t burn(long rounds) {
  uint64_t state = 88172645463325252u, sum = 0;
  double real = 1;
  for (long round = 0; round < rounds; round++) {
    for (int step = 0; step < 100000; step++) {
      state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
      uint64_t drawn = state * 2685821657736338717u;
      memory[drawn % WORDS] += drawn;
      sum ^= memory[(drawn >> 20) % WORDS];
      real = real * 1.0000001 + 1.0 / (double)(drawn | 1);
    }
  }
  return sum ^ (uint64_t)real;
}

static int self(void) {
  static char part[65536];
  FILE *file = fopen("/proc/self/exe", "rb");
  if (!file) return 1;
  for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;) fwrite(part, 1, got, stdout);
  return fflush(stdout);
}

int main(void) {
  static char line[64];
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  puts("ready");
  while (fgets(line, sizeof line, stdin)) {
    if (strncmp(line, "self", 4) == 0) return self();
    if (strncmp(line, "burn ", 5) != 0) continue;
    long rounds = atol(line + 5);
    memset(memory, 0, sizeof memory);
    int64_t wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t sum = burn(rounds);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu, wall = now(CLOCK_MONOTONIC) - wall;
    printf("%lld %lld %llu\n", (long long)wall, (long long)cpu, (unsigned long long)sum);
  }
  return 0;
}
