// C = A * B modulo the Mersenne prime 2^31 - 1. Integers only, so every device gives the same bytes.
// The host puts -DN=... (rows and columns) in front.

#define PRIME 0x7fffffffU
#define TILE 8

// splitmix64 (public domain, Vigna): the 31 highest bits of its output for a counter.
uint element(ulong key, ulong index) {
  ulong z = key + (index + 1) * 0x9e3779b97f4a7c15UL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9UL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebUL;
  z ^= z >> 31;
  uint value = (uint)(z >> 33);
  return value == PRIME ? 0U : value;
}

kernel void fill(global uint *matrix, ulong key) {
  size_t index = get_global_id(0);
  if (index < (size_t)N * N) matrix[index] = element(key, index);
}

kernel void multiply(global const uint *a, global const uint *b, global uint *c, uint first) {
  local uint left[TILE][TILE];
  local uint right[TILE][TILE];
  size_t x = get_local_id(0), y = get_local_id(1);
  size_t column = get_global_id(0), row = first + get_global_id(1);
  // Each summand is below 2^32 after one folding, and N is at most 4096: the sum cannot overflow.
  ulong sum = 0;
  for (uint at = 0; at < N; at += TILE) {
    left[y][x] = row < N && at + x < N ? a[row * N + at + x] : 0;
    right[y][x] = column < N && at + y < N ? b[(at + y) * N + column] : 0;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (uint k = 0; k < TILE; k++) {
      ulong product = (ulong)left[y][k] * right[k][x];
      sum += (product & PRIME) + (product >> 31);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
  }
  sum = (sum & PRIME) + (sum >> 31);
  sum = (sum & PRIME) + (sum >> 31);
  if (row < N && column < N) c[row * N + column] = sum == PRIME ? 0U : (uint)sum;
}
